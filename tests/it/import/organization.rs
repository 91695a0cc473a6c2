//! Whose list it is, and which of its products a row is for.

use subprocessor_registry::{
    import::{Field, Options},
    manifest::Manifest,
};

use super::expected::{import, import_into, import_with, manifest_of};

fn products_of(manifest: &Manifest) -> Vec<(String, String)> {
    let organization = &manifest.organization.as_ref().expect("one").message;
    organization.products.iter().map(|one| (one.product_id.clone(), one.display_name.clone())).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn products_are_those_of_the_organization() {
    let text = "Subprocessor,Product\nAcme Inc.,\"Cloud, Edge\"\nZeta Ltd,Cloud\n";
    let options =
        Options { file: "a.csv".into(), map: vec![("Product".into(), Field::Products)], ..Options::default() };
    let manifest = manifest_of(&import_with(&options, text.as_bytes()).expect("read"));
    let organization = &manifest.organization.as_ref().expect("one").message;
    assert_eq!(organization.products.iter().map(|p| p.product_id.as_str()).collect::<Vec<_>>(), ["cloud", "edge"]);
    assert_eq!(manifest.subprocessors[0].message.products, ["cloud", "edge"]);
}

#[test]
fn products_of_like_names_are_two() {
    let text = "Subprocessor,Product\nAcme Inc.,\"Pro, Pro+\"\nZeta Ltd,Pro+\nEta AG,\"PRO, プロ, エコ\"\n";
    let options =
        Options { file: "a.csv".into(), map: vec![("Product".into(), Field::Products)], ..Options::default() };
    let first = manifest_of(&import_with(&options, text.as_bytes()).expect("read"));
    let products = products_of(&first);
    assert_eq!(products[..2], pairs(&[("pro", "Pro"), ("pro-2", "Pro+")]));
    assert_eq!(products.len(), 4, "{products:?}");
    let of = |manifest: &Manifest, row: usize| manifest.subprocessors[row].message.products.clone();
    assert_eq!((of(&first, 0), of(&first, 1)), (vec!["pro".to_owned(), "pro-2".to_owned()], vec!["pro-2".to_owned()]));
    assert_eq!(of(&first, 2), ["pro", &products[2].0, &products[3].0]);
    // Again, in another order: each keeps its id.
    let turned = "Subprocessor,Product\nZeta Ltd,Pro+\nEta AG,\"エコ, プロ, PRO\"\nAcme Inc.,\"Pro+, Pro, Pro++\"\n";
    let options = Options { map: vec![("Product".into(), Field::Products)], ..options };
    let again = manifest_of(&import_into(Some(first), &options, turned.as_bytes()).expect("read"));
    assert_eq!(products_of(&again), [products, pairs(&[("pro-3", "Pro++")])].concat());
    assert_eq!(
        (of(&again, 0), of(&again, 2)),
        (vec!["pro-2".into()], vec!["pro-2".into(), "pro".into(), "pro-3".into()])
    );
}

#[test]
fn the_organization_is_named_by_its_page() {
    let table = "| Subprocessor | Purpose |\n|---|---|\n| Acme Inc. | mail |\n";
    let html = "<table><tr><th>Subprocessor<th>Purpose<tr><td>Acme Inc.<td>mail</table>";
    for (name, text, organization) in [
        ("a.md", format!("# Sub-processors of Northwind\n\n{table}"), "Northwind"),
        ("b.md", format!("# Northwind Subprocessors\n\n{table}"), "Northwind"),
        ("c.md", format!("# Northwind's sub-processor list\n\n{table}"), "Northwind"),
        ("d.md", format!("# Trust center\n\n## Sub-processors of Northwind Ltd\n\n{table}"), "Northwind Ltd"),
        ("e.html", format!("<title>Subprocessors</title><h1>Northwind's Subprocessors</h1>{html}"), "Northwind"),
        (
            "f.html",
            format!("<title>Legal | Northwind</title><h2>List of sub-processors of Northwind</h2>{html}"),
            "Northwind",
        ),
        ("g.md", format!("# Our subprocessors\n\n## Email subprocessors\n\n{table}"), "acme"),
    ] {
        let manifest = manifest_of(&import(name, text.as_bytes()).expect("read"));
        assert_eq!(manifest.organization.expect("one").message.display_name, organization, "{text}");
    }
}

#[test]
fn the_report_says_how_many_names_are_known() {
    let text = |names: [&str; 4]| {
        let rows: String = names.iter().map(|name| format!("| {name} | mail |\n")).collect();
        format!("# Subprocessors\n\n| Subprocessor | Purpose |\n|---|---|\n{rows}")
    };
    for (names, said) in [
        (["Zork Inc.", "Quux GmbH", "[Blorb](https://blorb.example)", "FooBar"], "0 names of 4 are known"),
        (["Stripe, Inc.", "Quux GmbH", "Cloudflare", "FooBar"], "2 names of 4 are known"),
    ] {
        let imported = import("a.md", text(names).as_bytes()).expect("read");
        assert_eq!(imported.report.parts[0].reason, format!("the page speaks of subprocessors, and {said}"));
    }
}
