//! `errors.md`: every published reason, from the contract.

use prost_reflect::EnumValueDescriptor;
use subprocessor_registry::{error::DOMAIN, proto::POOL};

use crate::{
    contract::comment,
    markdown::{code, table},
};

pub(crate) fn page() -> String {
    let reasons = POOL.get_enum_by_name("subprocessor.registry.v1.ErrorReason").expect("it is in the contract");
    let of = |value: &EnumValueDescriptor| comment(&reasons.parent_file(), value.path());
    let mut rows: Vec<[String; 3]> = reasons
        .values()
        .filter(|value| value.number() != 0)
        .map(|value| {
            // A comment begins with the canonical code.
            let said = of(&value);
            let (status, meaning) = said.split_once(". ").expect("a code, then what it means");
            let reason = value.name().strip_prefix("ERROR_REASON_").expect("values have the enum's prefix");
            [status.to_owned(), code(reason), meaning.to_owned()]
        })
        .collect();
    rows.sort_by(|left, right| left[0].cmp(&right[0]));
    format!(
        "# Errors\n\n\
         Every refusal is a `google.rpc.Status` with an `ErrorInfo`, whose `domain` is `{DOMAIN}` and whose `reason` is \
         one of these. The canonical code says what a client can do, the reason what was wrong; reasons are only ever \
         added. What to do about each: [for operators](../operators.md#troubleshooting), [for \
         integrators](../integrators.md#errors).\n\n{}",
        table(["Code", "Reason", "Meaning"], rows)
    )
}
