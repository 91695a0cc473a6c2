use super::*;

fn catalog() -> Index {
    Index::of(&crate::catalog::Catalog::builtin().expect("a catalog").vendors)
}

#[test]
fn scratch() {
    let index = catalog();
    let path = std::env::var("NAMES").unwrap_or_default();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let names: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
    let out: Vec<_> = names
        .iter()
        .map(|name| {
            let found: Vec<_> = index
                .resolve(name, 5)
                .iter()
                .map(|m| {
                    serde_json::json!([
                        m.vendor[8..],
                        m.score,
                        m.entity_id,
                        m.part,
                        m.via().as_str_name(),
                        m.matched,
                        m.reason
                    ])
                })
                .collect();
            (name, found)
        })
        .collect();
    std::fs::write("/tmp/found.json", serde_json::to_string(&out).expect("json")).expect("written");
}
