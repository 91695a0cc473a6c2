//! What everybody can ask for: the history of a list is read by an index of what is public.

use std::time::Instant;

use subprocessor_registry::{
    resource::name::{Kind, Name},
    store::publication::Wanted,
};

use super::{Bench, OLD, fill::LARGE, scans};

impl Bench {
    /// The plans of histories with the values known.
    pub async fn check_histories(&mut self) {
        for revision in [LARGE, OLD] {
            let wanted = Wanted {
                parent: Name::new(Kind::Organization, None, "n7"),
                revision,
                date: "2020-02-11".into(),
                base: String::new(),
            };
            let plan = self.store.explain_history(&wanted).await.expect("a plan");
            self.wrong.extend(scans(self.place.backend, &plan).into_iter().map(|line| format!("{wanted:?}: {line}")));
            // PostgreSQL may sort what the index has found where that is little; SQLite does not know how much it is.
            let by_index = plan.iter().any(|line| line.contains("ix_subprocessor_public"));
            if !by_index || plan.iter().any(|line| line.contains("TEMP B-TREE")) {
                self.wrong.push(format!("{wanted:?}: is not read by index:\n    {}", plan.join("\n    ")));
            }
            let start = Instant::now();
            let (versions, ..) = self.store.public_versions(&wanted).await.expect("a history");
            println!("{wanted:?}: {} versions in {} ms", versions.len(), start.elapsed().as_millis());
        }
    }
}
