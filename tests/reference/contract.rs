//! The comments of the contract, which its descriptors carry.

use prost_reflect::FileDescriptor;

use crate::markdown::flow;

/// What the contract says above the element at this path of a file.
pub(crate) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref().expect("the build keeps comments");
    let location = info.location.iter().find(|location| location.path == path).expect("every element has a place");
    let text = flow(location.leading_comments());
    assert!(!text.is_empty(), "nothing is said of {path:?} in {}", file.name());
    text
}
