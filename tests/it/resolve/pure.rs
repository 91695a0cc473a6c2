//! The matcher alone: whatever the text, it answers.

use proptest::{prelude::*, test_runner::RngSeed};
use std::sync::LazyLock;
use subprocessor_registry::{
    catalog::Catalog,
    proto::v1::Vendor,
    rules::vendor_name::{Builder, Index},
};

static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| Catalog::builtin().expect("a catalog").vendors);
static INDEX: LazyLock<Index> = LazyLock::new(|| Index::of(VENDORS.iter()));

/// What names of lists are made of, and what could upset who takes them apart.
fn fragment() -> impl Strategy<Value = String> {
    let names: Vec<String> = VENDORS
        .iter()
        .flat_map(|v| {
            v.entities.iter().map(|e| e.legal_name.clone()).chain([v.display_name.clone()]).chain(v.aliases.clone())
        })
        .collect();
    let signs = [
        " ",
        ", ",
        " (",
        ") ",
        "[",
        "]",
        "](https://",
        " / ",
        "/",
        " + ",
        "\n",
        "; ",
        " and ",
        " & ",
        " - ",
        ": ",
        ".",
        "..",
        "'",
        "¹",
        " d/b/a ",
        " dba ",
        " aka ",
        " formerly ",
        " by ",
        " on ",
        " a ",
        " company",
        ", a ",
        " Inc.",
        " GmbH & Co. KG",
        " S.à r.l.",
        "株式会社",
        "İ",
        "ß",
        "\u{301}",
        "\u{200d}",
        "ﬁ",
        "",
        "1. ",
        "- ",
        "**",
        "the ",
        ".com",
        "www.",
        "://",
    ];
    prop_oneof![
        4 => proptest::sample::select(names),
        4 => proptest::sample::select(signs.to_vec()).prop_map(ToOwned::to_owned),
        1 => "\\PC{0,6}",
        1 => any::<char>().prop_map(String::from),
    ]
}

/// Whether a vendor has a text, or a longer one that it is a part of.
fn has(vendor: &Vendor, text: &str) -> bool {
    let texts = [&vendor.display_name, &vendor.website_uri].into_iter();
    let texts = texts.chain(&vendor.aliases).chain(&vendor.former_names).chain(&vendor.domains);
    let mut texts = texts.chain(vendor.entities.iter().map(|entity| &entity.legal_name));
    !text.is_empty() && texts.any(|known| known.contains(text))
}

#[test]
fn what_matched_is_in_the_vendors_own_words() {
    let matches = INDEX.resolve("Amazon Web Services, Inc. d/b/a PayPal (Europe) S.a r.l. et Cie, S.C.A.", 3);
    let paypal = matches.iter().find(|found| found.vendor == "vendors/paypal").expect("one of them");
    assert_eq!(paypal.matched, "PayPal (Europe) S.a r.l. et Cie, S.C.A.");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_answered(fragments in proptest::collection::vec(fragment(), 0..10), most in 0_usize..8) {
        let text = fragments.concat();
        let matches = INDEX.resolve(&text, most);
        prop_assert!(matches.iter().all(|found| (0.5..=1.0).contains(&found.score)), "{matches:?}");
        prop_assert!(matches.is_sorted_by(|a, b| a.score >= b.score), "{matches:?}");
        for found in &matches {
            let vendor = VENDORS.iter().find(|vendor| vendor.name == found.vendor);
            let entities = vendor.map(|vendor| vendor.entities.as_slice()).unwrap_or_default();
            prop_assert!(vendor.is_some_and(|vendor| has(vendor, &found.matched)), "{found:?}");
            prop_assert!(found.entity_id.is_empty() || entities.iter().any(|entity| entity.entity_id == found.entity_id));
            let of_part = matches.iter().filter(|other| other.part == found.part && other.vendor == found.vendor);
            prop_assert!(found.part.is_empty() || text.split_whitespace().count() > 0);
            prop_assert!(!found.part.is_empty() || of_part.count() == 1, "{matches:?}");
        }
        prop_assert_eq!(INDEX.resolve(&text, most), matches, "the same again");
    }

    #[test]
    fn a_vendor_is_found_by_its_own_name(name in "[A-Z][a-z]{2,9}( [A-Z][a-z]{2,9}){0,2}", form in "( Inc\\.| GmbH|, LLC| S\\.A\\.|)") {
        let vendor = Vendor { name: "vendors/x".into(), display_name: name.clone(), ..Default::default() };
        let mut builder = Builder::default();
        builder.add(&vendor);
        let index = builder.build();
        let matches = index.resolve(&format!("{name}{form}"), 5);
        prop_assert_eq!(matches.len(), 1);
        prop_assert!(matches[0].score >= 0.93, "{:?}", matches);
    }
}
