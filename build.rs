//! Turns `proto/` into Rust: messages that can be reflected on, servers, clients, and the descriptor set.
//! Pure Rust: no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;
use prost_types::DescriptorProto;

const PACKAGE_DIR: &str = "proto/subprocessor/registry/v1";

fn main() -> Result<(), Box<dyn Error>> {
    // tonic's code generation prints no such line itself (since 0.14).
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");

    let mut files: Vec<PathBuf> =
        fs::read_dir(PACKAGE_DIR)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == "proto"));
    files.sort();

    // Comments are kept: the words that open a field's comment ("Required.", "Output only.") are what the server
    // enforces (AIP-203), see `resource::behavior`.
    let descriptors = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)?
        .file_descriptor_set();

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptor.bin"), descriptors.encode_to_vec())?;

    let mut config = prost_build::Config::new();
    // Maps in key order, so that the same message always has the same bytes.
    config.btree_map(["."]);
    for file in &descriptors.file {
        if file.package() == "subprocessor.registry.v1" {
            for message in &file.message_type {
                reflect(&mut config, file.package(), message);
            }
        }
    }
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// Derives `ReflectMessage` for a message and those inside it: masks, diffs and manifests are driven by descriptors.
fn reflect(config: &mut prost_build::Config, scope: &str, message: &DescriptorProto) {
    let is_map_entry = message.options.as_ref().is_some_and(|o| o.map_entry());
    if is_map_entry {
        return;
    }
    let name = format!("{scope}.{}", message.name());
    config.message_attribute(&name, "#[derive(::prost_reflect::ReflectMessage)]");
    config.message_attribute(
        &name,
        format!("#[prost_reflect(message_name = \"{name}\", descriptor_pool = \"crate::proto::POOL\")]"),
    );
    for nested in &message.nested_type {
        reflect(config, &name, nested);
    }
}
