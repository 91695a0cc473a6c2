//! Legal forms of companies, as names end (or, in some countries, begin) with them.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// A form as it is compared, then the ways to write it: lower case, without dots and marks.
const FORMS: &[(&str, &str)] = &[
    // English-speaking countries.
    ("inc", "inc, incorporated"),
    ("corp", "corp, corporation"),
    ("co", "co"),
    ("ltd", "ltd, limited, limitd"),
    ("llc", "llc, limited liability company, limited liability co"),
    ("llp", "llp, limited liability partnership"),
    ("lllp", "lllp"),
    ("lp", "lp, limited partnership"),
    ("plc", "plc, public limited company"),
    ("pllc", "pllc"),
    ("pc", "pc, professional corporation"),
    ("pbc", "pbc, public benefit corporation, public benefit corp, a public benefit corporation"),
    ("dac", "dac, designated activity company"),
    ("clg", "clg, company limited by guarantee"),
    ("cic", "cic, community interest company"),
    ("uc", "uc, unlimited company, unlimited co"),
    ("ulc", "ulc, unlimited liability company"),
    ("pty ltd", "pty ltd, pty limited, proprietary limited, pty"),
    ("pte ltd", "pte ltd, pte limited, private ltd, pte"),
    ("pvt ltd", "pvt ltd, pvt limited, private limited, pvt, p ltd"),
    ("smc pvt ltd", "smc pvt ltd, smc private limited, smc pvt limited, smc pvt"),
    ("opc", "opc, opc pvt ltd, opc private limited"),
    ("co ltd", "co ltd, company limited, company ltd, co limited"),
    ("na", "national association"),
    // German-speaking countries.
    ("gmbh", "gmbh, gesellschaft mit beschrankter haftung, mbh, gmb h"),
    ("ggmbh", "ggmbh"),
    ("ag", "ag, aktiengesellschaft"),
    ("kg", "kg, co kg, kommanditgesellschaft"),
    ("kgaa", "kgaa, co kgaa"),
    ("ohg", "ohg, co ohg"),
    ("ug", "ug, ug haftungsbeschrankt, haftungsbeschrankt, unternehmergesellschaft"),
    ("ek", "e k, ek, e kfr, e kfm"),
    ("ev", "ev, e v"),
    ("eg", "eg"),
    ("gbr", "gbr"),
    ("se", "se, societas europaea"),
    // French-speaking countries.
    ("sa", "sa, societe anonyme"),
    ("sas", "sas, societe par actions simplifiee"),
    ("sasu", "sasu"),
    ("sarl", "sarl, sa rl, s a r l, sarl au, societe a responsabilite limitee"),
    ("sarls", "sarls, sarl s"),
    ("eurl", "eurl"),
    ("snc", "snc"),
    ("sca", "sca"),
    ("scs", "scs"),
    ("scop", "scop"),
    ("sci", "sci"),
    ("cie", "cie, et cie, and cie"),
    // The Low Countries.
    ("bv", "bv, besloten vennootschap"),
    ("nv", "nv, naamloze vennootschap"),
    ("cv", "cv"),
    ("vof", "vof"),
    ("bvba", "bvba"),
    ("sprl", "sprl"),
    ("srl", "srl, societa a responsabilita limitata"),
    ("scrl", "scrl"),
    ("asbl", "asbl"),
    ("vzw", "vzw"),
    // Italy, Spain, Portugal, Latin America.
    ("spa", "spa, societa per azioni"),
    ("srls", "srls"),
    ("sl", "sl, sociedad limitada"),
    ("slu", "slu"),
    ("sau", "sau"),
    ("slne", "slne"),
    ("sa de cv", "sa de cv"),
    ("sab de cv", "sab de cv"),
    ("s de rl de cv", "s de rl de cv, srl de cv, sapi de cv"),
    ("sac", "sac"),
    ("lda", "lda, unipessoal lda, limitada"),
    ("ltda", "ltda, ltda me, ltda epp, eireli"),
    // The North.
    ("ab", "ab, ab publ, publ, aktiebolag"),
    ("as", "as, aksjeselskap, aktieselskab"),
    ("asa", "asa"),
    ("aps", "aps, anpartsselskab"),
    ("is", "is"),
    ("ks", "ks"),
    ("oy", "oy, oy ab, osakeyhtio"),
    ("oyj", "oyj, oyj abp, abp"),
    ("ehf", "ehf"),
    ("hf", "hf"),
    ("ou", "ou, osauhing"),
    ("uab", "uab"),
    ("sia", "sia"),
    // Central and Eastern Europe.
    ("sp z oo", "sp z oo, sp zoo, spzoo, spolka z oo, spolka z ograniczona odpowiedzialnoscia"),
    ("sp k", "sp k, sp z oo sp k"),
    ("sp j", "sp j"),
    ("sro", "sro, spol sro, spolecnost s rucenim omezenym"),
    ("as", "akciova spolecnost"),
    ("doo", "doo"),
    ("dd", "dd"),
    ("kft", "kft"),
    ("zrt", "zrt"),
    ("nyrt", "nyrt"),
    ("eood", "eood"),
    ("ood", "ood"),
    ("ad", "ad"),
    ("ead", "ead"),
    ("ike", "ike"),
    ("ae", "ae"),
    ("ooo", "ooo, ооо"),
    ("ao", "ао"),
    ("tov", "tov"),
    ("jsc", "jsc, ojsc, cjsc, pjsc"),
    ("as", "anonim sirketi"),
    ("ltd sti", "ltd sti, limited sirketi"),
    // Asia, Africa, the Gulf.
    ("kk", "kk, kabushiki kaisha, 株式会社"),
    ("gk", "gk, godo kaisha, 合同会社"),
    ("yk", "yk, 有限会社"),
    ("co ltd", "有限公司, 股份有限公司, 주식회사"),
    ("sdn bhd", "sdn bhd"),
    ("bhd", "bhd"),
    ("pt", "pt, tbk"),
    ("fze", "fze"),
    ("fzco", "fzco, fz co"),
    ("fz llc", "fz llc, fzllc"),
    ("dmcc", "dmcc"),
    ("wll", "wll"),
];

/// Forms that stand before the name.
const BEFORE: &[&str] = &["pt", "uab", "sia", "ooo", "ооо", "ао", "株式会社", "合同会社", "有限会社", "주식회사"];

/// Forms that lists write behind the name of any company, wherever it is registered.
const COMMON: &[&str] = &["inc", "corp", "co", "ltd", "llc", "plc", "pbc"];

/// Words of the longest form.
const LONGEST: usize = 5;

/// The ways to write a form.
static BY_TEXT: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| FORMS.iter().flat_map(|(form, texts)| texts.split(", ").map(move |text| (text, *form))).collect());

/// Whether lists write a form behind the name of any company.
pub(super) fn is_common(form: &str) -> bool {
    COMMON.contains(&form)
}

/// The words that forms end with.
static LAST_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| BY_TEXT.keys().filter_map(|text| text.rsplit(' ').next()).collect());

/// Takes the legal forms off the ends of a name that is folded into words, and returns them as they are compared. A
/// name is never only its form.
pub(super) fn strip(words: &mut Vec<String>) -> String {
    let mut forms: Vec<&str> = Vec::new();
    while let Some((count, form)) = at_end(words) {
        // "Crisp & Co" is a name; in "GmbH & Co. KG" the name ends before.
        let rest = words.get(..words.len() - count).unwrap_or_default();
        if matches!(form, "co" | "cie")
            && matches!(rest, [before @ .., and] if and == "and" && at_end(before).is_none())
        {
            break;
        }
        words.truncate(words.len() - count);
        forms.insert(0, form);
        // GmbH & Co. KG, S.à r.l. et Cie.
        if words.len() > 1 && words.last().is_some_and(|word| matches!(word.as_str(), "and" | "et")) {
            words.pop();
        }
    }
    if words.len() > 1
        && let Some(form) = words.first().filter(|word| BEFORE.contains(&word.as_str()))
        && let Some(form) = BY_TEXT.get(form.as_str())
    {
        forms.push(form);
        words.remove(0);
    }
    if words.len() == 1 {
        forms.extend(cut_unspaced(words));
    }
    forms.join(" ")
}

/// Whether these words are nothing but legal forms.
pub(super) fn is_form(words: &[String]) -> bool {
    let mut rest = words;
    while !rest.is_empty() {
        let longest = (1..=LONGEST.min(rest.len())).rev();
        let found =
            longest.filter_map(|n| rest.split_at_checked(n)).find(|(head, _)| BY_TEXT.contains_key(&*head.join(" ")));
        match found {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    !words.is_empty()
}

/// What is behind a legal form with which words begin: of "corporation uk" the place.
pub(super) fn behind<'a>(words: &'a [String], form: &str) -> Option<&'a [String]> {
    (1..words.len()).rev().filter_map(|count| words.split_at_checked(count)).find_map(|(head, rest)| {
        let mut whole: Vec<String> = std::iter::once("x".to_owned()).chain(head.iter().cloned()).collect();
        let is_same = !form.is_empty() && is_form(head) && strip(&mut whole) == form;
        is_same.then_some(rest)
    })
}

/// The form that ends the words, and how many words it has.
fn at_end(words: &[String]) -> Option<(usize, &'static str)> {
    let most = LONGEST.min(words.len().checked_sub(1)?);
    LAST_WORDS.get(words.last()?.as_str())?;
    (1..=most).rev().find_map(|count| {
        let (_, tail) = words.split_at_checked(words.len() - count)?;
        BY_TEXT.get(tail.join(" ").as_str()).map(|form| (count, *form))
    })
}

/// Scripts that put no blank between a name and its form.
fn cut_unspaced(words: &mut [String]) -> Option<&'static str> {
    let word = words.first_mut().filter(|word| !word.is_ascii())?;
    let forms = BY_TEXT.iter().filter(|(text, _)| !text.is_ascii());
    let (cut, form) = forms
        .filter_map(|(text, form)| {
            let cut = word.strip_suffix(text).or_else(|| word.strip_prefix(text))?;
            (!cut.is_empty()).then_some((cut, *form))
        })
        .min_by_key(|(cut, _)| cut.len())?;
    *word = cut.to_owned();
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::vendor_name::normalize::fold;

    #[track_caller]
    fn stripped(name: &str, core: &str, form: &str) {
        let mut words = fold(name);
        let found = strip(&mut words);
        assert_eq!((words.join(" ").as_str(), found.as_str()), (core, form), "{name}");
    }

    #[test]
    fn forms_of_many_countries_are_taken_off() {
        for (name, core, form) in [
            ("Stripe, Inc.", "stripe", "inc"),
            ("Stripe Incorporated", "stripe", "inc"),
            ("Intercom, Inc..", "intercom", "inc"),
            ("OpenAI, L.L.C.", "openai", "llc"),
            ("Microsoft Corp.", "microsoft", "corp"),
            ("Anthropic PBC", "anthropic", "pbc"),
            ("Google Ireland Ltd", "google ireland", "ltd"),
            ("Acme P.L.C.", "acme", "plc"),
            ("Acme Unlimited Company", "acme", "uc"),
            ("Acme U.L.C.", "acme", "ulc"),
            ("Atlassian Pty. Ltd.", "atlassian", "pty ltd"),
            ("Supabase Pte Limited", "supabase", "pte ltd"),
            ("Zoho Corporation Pvt. Ltd.", "zoho", "corp pvt ltd"),
            ("Acme (SMC-Private) Limited", "acme", "smc pvt ltd"),
            ("Acme Co., Ltd.", "acme", "co ltd"),
            ("Hetzner Online GmbH", "hetzner online", "gmbh"),
            ("Acme GmbH & Co. KG", "acme", "gmbh kg"),
            ("Acme & Co. KG", "acme", "kg"),
            ("Acme & Co", "acme and co", ""),
            ("Acme Co", "acme", "co"),
            ("Acme UG (haftungsbeschränkt)", "acme", "ug"),
            ("Wirecard AG", "wirecard", "ag"),
            ("Acme e.V.", "acme", "ev"),
            ("SAP SE", "sap", "se"),
            ("Amazon Web Services EMEA S.à r.l.", "amazon web services emea", "sarl"),
            ("Acme S. à r. l.", "acme", "sarl"),
            ("Scaleway S.A.S.", "scaleway", "sas"),
            ("PayPal (Europe) S.a r.l. et Cie, S.C.A.", "paypal europe", "sarl cie sca"),
            ("AppSignal B.V.", "appsignal", "bv"),
            ("Adyen N.V.", "adyen", "nv"),
            ("Acme S.p.A.", "acme", "spa"),
            ("Acme S.r.l.", "acme", "srl"),
            ("TYPEFORM S.L.", "typeform", "sl"),
            ("Acme S.A. de C.V.", "acme", "sa de cv"),
            ("Acme S. de R.L. de C.V.", "acme", "s de rl de cv"),
            ("Acme Ltda.", "acme", "ltda"),
            ("Acme, Unipessoal, Lda.", "acme", "lda"),
            ("Sinch AB (publ)", "sinch", "ab"),
            ("Acme A/S", "acme", "as"),
            ("Acme ApS", "acme", "aps"),
            ("Acme Oy", "acme", "oy"),
            ("Pipedrive OÜ", "pipedrive", "ou"),
            ("Acme Sp. z o.o.", "acme", "sp z oo"),
            ("Acme sp. z o. o.", "acme", "sp z oo"),
            ("Acme Spółka z o.o.", "acme", "sp z oo"),
            ("Acme s.r.o.", "acme", "sro"),
            ("BunnyWay d.o.o.", "bunnyway", "doo"),
            ("Acme Kft.", "acme", "kft"),
            ("Acme A.Ş.", "acme", "as"),
            ("Acme Ltd. Şti.", "acme", "ltd sti"),
            ("PT Acme Tbk", "acme", "pt pt"),
            ("UAB Acme", "acme", "uab"),
            ("Acme K.K.", "acme", "kk"),
            ("株式会社メルカリ", "メルカリ", "kk"),
            ("腾讯科技有限公司", "腾讯科技", "co ltd"),
            ("Acme Sdn. Bhd.", "acme", "sdn bhd"),
            ("Acme FZ-LLC", "acme", "fz llc"),
        ] {
            stripped(name, core, form);
        }
    }

    #[test]
    fn a_name_is_more_than_its_form() {
        for (name, core) in [("Limited", "limited"), ("AB", "ab"), ("SA Ltd", "sa"), ("Co", "co"), ("Box", "box")] {
            let mut words = fold(name);
            strip(&mut words);
            assert_eq!(words.join(" "), core, "{name}");
        }
        assert!(is_form(&fold("GmbH & Co. KG")) || is_form(&fold("GmbH")));
        assert!(is_form(&fold("L.L.C.")) && is_form(&fold("Pty. Ltd.")) && !is_form(&fold("Stripe Inc")));
        assert!(!is_form(&[]));
        assert_eq!(behind(&fold("Corporation UK"), "corp"), Some(&fold("UK")[..]));
        assert_eq!(behind(&fold("Pty Ltd New Zealand"), "pty ltd"), Some(&fold("New Zealand")[..]));
        assert!(behind(&fold("Corporation UK"), "inc").is_none() && behind(&fold("UK"), "").is_none());
    }
}
