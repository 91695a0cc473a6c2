use super::{table::Table, *};
use crate::resource::text::region_code;

/// Codes and areas that a cell comes to, and what is left: `DE NL/EU` for Germany and the Netherlands in the EU.
fn read(text: &str) -> (String, String) {
    read_as(text, false)
}

fn read_as(text: &str, codes: bool) -> (String, String) {
    let reading = Places::builtin().read(text, codes);
    let shown = reading.found.iter().map(|found| match (found.code.as_str(), found.area.as_str()) {
        (code, "") => code.to_owned(),
        (code, area) => format!("{code}/{area}"),
    });
    (shown.collect::<Vec<_>>().join(" "), reading.left.join("; "))
}

#[test]
fn the_table_is_whole() {
    let table = Table::parse(include_str!("../places.yaml"));
    assert_eq!(
        (0..26_u8)
            .flat_map(|a| (0..26_u8).map(move |b| [b'A' + a, b'A' + b]))
            .filter(|code| {
                let code = std::str::from_utf8(code).expect("letters");
                region_code(code).is_ok() != (table.code(code) == Some(code))
            })
            .count(),
        0,
        "exactly the codes of ISO 3166-1"
    );
    assert!(table.is_state("CA") && table.is_member("EU", "SE") && !table.is_member("EU", "NO"));
}

#[test]
fn countries_in_any_wording() {
    for (text, expected) in [
        ("United States", "US"),
        ("USA, Germany, Ireland", "US DE IE"),
        ("U.S.", "US"),
        ("U.S.A", "US"),
        ("the United States of America", "US"),
        ("US", "US"),
        ("US/UK/DE", "US GB DE"),
        ("UK", "GB"),
        ("England and Wales", "GB"),
        ("Northern Ireland", "GB"),
        ("Ireland", "IE"),
        ("Republic of Ireland", "IE"),
        ("Czech Republic", "CZ"),
        ("Czechia", "CZ"),
        ("South Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("North Korea", "KP"),
        ("The Netherlands", "NL"),
        ("Holland", "NL"),
        ("Hong Kong", "HK"),
        ("Taiwan", "TW"),
        ("Georgia", "GE"),
        ("Atlanta, Georgia", "US"),
        ("Georgia, USA", "US"),
        ("New Jersey", "US"),
        ("Jersey", "JE"),
        ("New Mexico", "US"),
        ("Mexico", "MX"),
        ("Guinea-Bissau; Guinea", "GW GN"),
        ("Dominican Republic", "DO"),
        ("British Indian Ocean Territory", "IO"),
        ("Deutschland, Österreich und die Schweiz", "DE AT CH"),
        ("Vereinigte Staaten", "US"),
        ("Irland; Niederlande", "IE NL"),
        ("États-Unis, Royaume-Uni", "US GB"),
        ("Estados Unidos y España", "US ES"),
        ("Stati Uniti", "US"),
        ("Verenigde Staten, Duitsland", "US DE"),
        ("VS", "US"),
        ("Sverige", "SE"),
        ("🇩🇪 Germany", "DE"),
        ("🇺🇸 🇫🇷", "US FR"),
        ("United Kingdom & Ireland", "GB IE"),
        ("GERMANY", "DE"),
        ("UNITED STATES OF AMERICA AND CANADA", "US CA"),
        ("Germany\nFrance", "DE FR"),
        ("미국", "US"),
        ("대한민국(서울)", "KR"),
        ("日本、アメリカ", "JP US"),
        ("美国，德国", "US DE"),
        (
            "Australia, Brazil, Canada, France, Japan, Norway, Spain, Sweden, Switzerland, United Kingdom, United States",
            "AU BR CA FR JP NO ES SE CH GB US",
        ),
    ] {
        assert_eq!(read(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn cities_states_and_regions_of_clouds() {
    for (text, expected) in [
        ("San Francisco, CA", "US"),
        ("San Francisco, CA, USA", "US"),
        ("Bellevue, WA 98004", "US"),
        ("Wilmington, DE", "US"),
        ("Toronto, CA", "CA"),
        ("Paris, Texas", "US"),
        ("Paris", "FR"),
        ("London, Ontario", "CA"),
        ("Amsterdam, London", "NL GB"),
        ("Dublin, Frankfurt, USA", "IE DE US"),
        ("Frankfurt am Main", "DE"),
        ("Frankfurt, Germany", "DE"),
        ("Iowa", "US"),
        ("Virginia, Oregon", "US"),
        ("New York, New York", "US"),
        ("Washington, D.C.", "US"),
        ("eu-west-1 (Ireland)", "IE"),
        ("us-east-1", "US"),
        ("AWS us-east-1 and eu-central-1", "US DE"),
        ("us-west-2a", "US"),
        ("europe-west4", "NL"),
        ("northeurope (Ireland), australiaeast (Sydney)", "IE AU"),
        ("centralus", "US"),
        ("Germany West Central", "DE"),
        ("US East (N. Virginia)", "US"),
        ("Falkenstein / Nürnberg", "DE"),
        ("fra1", "DE"),
    ] {
        assert_eq!(read(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn areas_alone_and_with_their_members() {
    for (text, expected) in [
        ("EU", "/EU"),
        ("European Union", "/EU"),
        ("EU (Sweden)", "SE/EU"),
        ("EU (Amsterdam)", "NL/EU"),
        ("EU (Ireland, Germany)", "IE/EU DE/EU"),
        ("Germany (EU)", "DE/EU"),
        ("EU - Ireland", "IE/EU"),
        ("US, EU (Ireland)", "US IE/EU"),
        ("US and EU", "US /EU"),
        ("EU and Germany", "/EU DE"),
        ("EU (United States)", "/EU US"),
        ("EU/EEA", "/EU /EEA"),
        ("CZ/EU", "CZ /EU"),
        ("EU+US", "/EU US"),
        ("EU + Ireland", "/EU IE"),
        ("EEA", "/EEA"),
        ("Worldwide", "/GLOBAL"),
        ("Global", "/GLOBAL"),
        ("weltweit", "/GLOBAL"),
        ("North America", "/NORTH_AMERICA"),
        ("APAC", "/APAC"),
        ("Varies", "/UNSPECIFIED"),
        ("TBD", "/UNSPECIFIED"),
        ("Customer-selected", "/CUSTOMER_SELECTED"),
        ("As selected by the customer", "/CUSTOMER_SELECTED"),
        ("EU region", "/EU"),
        ("Customer's choice of US or EU", "/CUSTOMER_SELECTED US /EU"),
        ("US or EU (customer-selected)", "US /EU /CUSTOMER_SELECTED"),
        ("US (default) or EU at customer's choice", "US /CUSTOMER_SELECTED /EU"),
        ("Depends on customer's region: US, EU or Canada", "/CUSTOMER_SELECTED US /EU CA"),
        ("Customer can choose between the EU, US and UK", "/CUSTOMER_SELECTED /EU US GB"),
    ] {
        assert_eq!(read(text), (expected.to_owned(), String::new()), "{text}");
    }
}

#[test]
fn what_is_not_understood_is_left_over() {
    for (text, expected, left) in [
        (
            "US and EU (EU only for EU submission hosting customers)*",
            "US /EU",
            "only for EU submission hosting customers",
        ),
        ("US or EU (for EU submission hosting customers)*", "US /EU", "for EU submission hosting customers"),
        (
            "US (does not apply for EU submission hosting customers)",
            "US",
            "does not apply for EU submission hosting customers",
        ),
        ("EU (only for EU submission hosting customers)", "/EU", "only for EU submission hosting customers"),
        ("Germany for EU customers, USA for US customers", "DE US", "for EU customers; for US customers"),
        ("EU customers", "", "EU customers"),
        ("United States, except for Canada", "US", "except for Canada"),
        ("Planet Zorg", "", "Planet Zorg"),
        ("[Add region]", "", "Add"),
        ("Indian Ocean", "", "Indian Ocean"),
        ("Germany, Zorg", "DE", "Zorg"),
        ("us", "", "us"),
        ("IT", "", "IT"),
        ("", "", ""),
    ] {
        assert_eq!(read(text), (expected.to_owned(), left.to_owned()), "{text}");
    }
}

#[test]
fn letters_are_codes_among_codes() {
    assert_eq!(read("US, IT, NO").0, "US IT NO");
    assert_eq!(read("IT / DE").0, "IT DE");
    assert_eq!(read("DEU, USA, GBR").0, "DE US GB");
    assert_eq!(read_as("IT", true).0, "IT");
    assert_eq!(read_as("no", true).0, "NO");
    assert_eq!(read_as("us", true).0, "US");
    assert_eq!(read_as("ca, de", true).0, "CA DE");
    let places = Places::builtin();
    assert!(places.are_codes(["us", "de", "in"].into_iter()) && places.are_codes(["US/DE", "IT"].into_iter()));
    assert!(!places.are_codes(["Germany", "US", "France"].into_iter()) && !places.are_codes(["US"].into_iter()));
}

#[test]
fn whose_law_an_instrument_is_of_is_no_place() {
    for (text, expected, left) in [
        ("USA (EU-US DPF)", "US", ""),
        ("USA (EU-U.S. Data Privacy Framework)", "US", ""),
        ("United States (DPF certified)", "US", ""),
        ("USA (mit EU-DPA/SCCs)", "US", "mit"),
        ("Canada, EU standard contractual clauses", "CA", ""),
        ("USA SCCs", "US", ""),
        ("États-Unis (DPF UE-États-Unis)", "US", ""),
        ("Verenigde Staten (DPF-gecertificeerd, EU-standaardcontractbepalingen, UK-addendum)", "US", ""),
        ("EU (SCCs)", "/EU", ""),
        ("EU with SCCs", "/EU", "with"),
        ("UK DPF", "", ""),
    ] {
        assert_eq!(read(text), (expected.to_owned(), left.to_owned()), "{text}");
    }
}

#[test]
fn what_lies_outside_is_no_place() {
    for (text, expected, left) in [
        ("Ireland or outside the UK/EEA", "IE", "outside the UK; EEA"),
        ("outside Norway/EEA", "", "outside Norway; EEA"),
        ("Irlande, hors UE", "IE", "hors UE"),
        ("outside the EU; Japan", "JP", "outside the EU"),
    ] {
        let got = read(text);
        assert_eq!((got.0.as_str(), got.1.as_str()), (expected, left), "{text}");
    }
}
