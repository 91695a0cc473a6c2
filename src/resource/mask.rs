//! Update masks (AIP-134): which fields of a request are taken over.

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};
use prost_types::FieldMask;

use super::behavior;
use crate::error::{Error, Reason, Result, clip};

/// Paths in a mask.
const MAX_PATHS: usize = 256;

/// `current` with the fields that `mask` names taken from `input`: absent = those populated in `input`, `*` = all.
///
/// # Errors
/// UPDATE_MASK_INVALID with every path that does not exist or cannot be written; FIELD_INVALID for an immutable field
/// that would change.
pub fn apply<M: ReflectMessage + Default>(current: &M, input: &M, mask: Option<&FieldMask>) -> Result<M> {
    let input = input.transcode_to_dynamic();
    let before = current.transcode_to_dynamic();
    let mut after = before.clone();
    let descriptor = input.descriptor();
    let paths = match mask.map(|mask| mask.paths.as_slice()) {
        None | Some([]) => descriptor
            .fields()
            .filter(|field| input.has_field(field) && !behavior::of(field).output_only)
            .map(|field| field.name().to_owned())
            .collect(),
        Some([all]) if all == "*" => descriptor
            .fields()
            .filter(|field| !behavior::of(field).output_only)
            .map(|field| field.name().to_owned())
            .collect(),
        Some(paths) => {
            check(&descriptor, paths)?;
            paths.to_vec()
        }
    };
    for path in &paths {
        copy(&mut after, &input, path);
    }
    for field in descriptor.fields().filter(|field| behavior::of(field).immutable) {
        if before.get_field(&field) != after.get_field(&field) {
            let path = format!("{}.{}", descriptor.name().to_lowercase(), field.name());
            return Err(Error::field(path, "cannot be changed after creation"));
        }
    }
    after.transcode_to().map_err(Error::internal)
}

fn check(descriptor: &MessageDescriptor, paths: &[String]) -> Result<()> {
    if paths.len() > MAX_PATHS {
        let rule = format!("has {} paths, more than {MAX_PATHS}", paths.len());
        return Err(Error::fields(Reason::UpdateMaskInvalid, vec![("update_mask".to_owned(), rule)]));
    }
    let wrong: Vec<_> = paths
        .iter()
        .filter_map(|path| refusal(descriptor, path).map(|rule| ("update_mask".to_owned(), rule)))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::UpdateMaskInvalid, wrong)) }
}

/// Why a path cannot be in a mask.
fn refusal(descriptor: &MessageDescriptor, path: &str) -> Option<String> {
    let mut message = Some(descriptor.clone());
    for segment in path.split('.') {
        let Some(inside) = message else {
            return Some(format!("\"{}\" goes into a field that has no fields of its own", clip(path)));
        };
        let Some(field) = inside.get_field_by_name(segment) else {
            return Some(format!("\"{}\" is not a field of {}", clip(path), descriptor.name()));
        };
        if behavior::of(&field).output_only {
            return Some(format!("\"{}\" is output only", clip(path)));
        }
        message = match field.kind() {
            Kind::Message(inside) if field.cardinality() != prost_reflect::Cardinality::Repeated => Some(inside),
            _ => None,
        };
    }
    None
}

fn copy(target: &mut DynamicMessage, source: &DynamicMessage, path: &str) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(field) = source.descriptor().get_field_by_name(first) else { return };
    match rest {
        None if source.has_field(&field) => target.set_field(&field, source.get_field(&field).into_owned()),
        None => target.clear_field(&field),
        Some(rest) => {
            if let Value::Message(inner) = source.get_field(&field).into_owned()
                && let Value::Message(inside) = target.get_field_mut(&field)
            {
                copy(inside, &inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{NoticePolicy, Organization};

    fn mask(paths: &[&str]) -> Option<FieldMask> {
        Some(FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() })
    }

    fn organization() -> Organization {
        Organization {
            name: "organizations/a".into(),
            uid: "u".into(),
            display_name: "A".into(),
            region_code: "US".into(),
            notice_policy: Some(NoticePolicy { notice_days: Some(30), four_eyes: Some(true), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn a_mask_takes_over_what_it_names() {
        let input = Organization {
            display_name: "B".into(),
            notice_policy: Some(NoticePolicy { notice_days: Some(10), ..Default::default() }),
            ..Default::default()
        };
        let absent = apply(&organization(), &input, None).unwrap();
        assert_eq!((absent.display_name.as_str(), absent.region_code.as_str()), ("B", "US"));
        let nested = apply(&organization(), &input, mask(&["notice_policy.notice_days"]).as_ref()).unwrap();
        assert_eq!(nested.display_name, "A");
        assert_eq!(nested.notice_policy.map(|p| (p.notice_days, p.four_eyes)), Some((Some(10), Some(true))));
        let all = apply(&organization(), &input, mask(&["*"]).as_ref()).unwrap();
        assert_eq!((all.region_code.as_str(), all.uid.as_str()), ("", "u"));
        let cleared = apply(&organization(), &input, mask(&["region_code"]).as_ref()).unwrap();
        assert_eq!(cleared.region_code, "");
    }

    #[test]
    fn a_mask_of_what_does_not_exist_is_refused() {
        for path in ["nothing", "uid", "display_name.x", "contacts.email", "", "*", "notice_policy.", "annotations.k"] {
            let paths = mask(&["display_name", path]);
            let error = apply(&organization(), &Organization::default(), paths.as_ref()).expect_err(path);
            assert_eq!(error.reason(), Reason::UpdateMaskInvalid, "{path}");
        }
    }
}
