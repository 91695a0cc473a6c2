//! What kinds of words names are made of. A word that many companies could have in their names proves little.

use std::{collections::HashSet, sync::LazyLock};

/// Words that end the names of companies of every trade.
const CORPORATE: &str = "technologies technology tech labs lab software systems system solutions solution group groups \
    holding holdings company companies industries industry services service international global worldwide enterprises \
    networks network digital interactive communications operations operating limited incorporated corporation computing \
    development management";

/// Words that say of a company's product that it is one.
const PRODUCT: &str = "cloud platform app apps application applications api apis suite enterprise online web saas pro \
    plus business edition website site sdk dashboard hosted managed";

/// Words that say what a service does, or that somebody does it: alone they name nobody.
const GENERIC: &str = "ai analytics analysis access and advertising affiliates agencies agency any application artificial \
    authentication automation backend backup backups billing bookkeeping call calls category center centre centres \
    centers chat checkout cdn communication companies company compliance compute consultant consultants consulting \
    content contractors crm customer customers cyber data database databases debugging delivery deployment design \
    developer developers development document documents ecommerce email emails employee employees engagement engineering \
    entities erp error errors external feedback file files finance financial forms fraud freelancers gateway gateways \
    generation help helpdesk host hosting hr identity incident inference infrastructure insights integration \
    integrations intelligence internal internet issue it language learning legal live llm locally log logging logs \
    machine mail mailing management marketing media message messages messaging metrics mobile model models monitoring \
    name network newsletter newsletters notification notifications observability office operation operations operators \
    optional other our partner partners party payment payments payroll performance phone planning privacy processing \
    processor processors product productivity product professional project provider providers push recruiting \
    reporting sales scheduling search security self server servers session signature sms software sources speech storage \
    store streaming subcontractors subprocessor subprocessors subsidiaries subsidiary supplier suppliers support survey \
    surveys system systems telephony testing text third ticketing tickets tool tooling tools tracking traffic training \
    transactional transcription translation user users vector vendor vendors verification video voice web webhook \
    website websites workflow e line on of in for the to by with as a an or from its their your";

/// Further words that people leave out when they name a company.
const LEFT_OUT: &str = "analytics ai data hq";

/// Words of a company in another trade: what follows a vendor's name and ends in one of them is another company.
const OTHER_TRADES: &str = "academy advisors agency airlines airways aquatics art arts association attorneys bakery bank \
    bikes brewing brothers capital care charity church church clinic club clothing college construction consultancy \
    consultants consulting dental doctors education energy estate experts farm farms fashion festival film films finance fitness \
    foods foundation furniture gallery games hospital hospitals hotel hotels institute insurance jewelry law \
    lawyers library logistics magazine medical motors museum nutrition orchestra pharma pharmaceuticals pharmacy \
    photography publishing realty records recruiting recruitment restaurant restaurants resort resorts school schools \
    solicitors sons sport sports staffing steel surgical talent theater theatre therapeutics tours toys transport travel \
    trust university wealth winery wines accountants advokat advocaten anwalte architects architekten asesores avocats \
    brewers brewery cabinet couriers council immobilien kanzlei logistik mining municipality notaires notare \
    rechtsanwalte sparkasse spedition steuerberater steuerberatung stiftung verein verlag versicherung versicherungen \
    agence agencia agentur agenturen antiques apothecary apotheke aviation backerei baseball basketball bau bauunternehmen \
    beauty berater beratung bistro boats boxing brasserie builders butchers cafe camping carpentry catering ceramics \
    chauffeurs chiropractic cinema cleaners cleaning clinics collective comics conseil cosmetics counselling couture cricket \
    cruises cycles cycling dance dairy daycare dentist dentistry dentists detailing distillery drywall eatery electricians \
    equestrian estates events eventagentur experten expertos exteriors eyewear farmers ferries fireplaces fishing flooring \
    florist florists football freunde friseur gallerie gardening gardens garage golf grill grooming guild gym gymnastics \
    hairdressing handball handwerk hauling haulage heating hockey horses hostel housing innenausbau interiors inn jewellers \
    jewels joinery kindergarten kita kitchen kitchens klinik knitting landscaping lacrosse laundry lighting limousines \
    locksmith locksmiths lodge malerbetrieb martial masonry massage meditation metalworks midwifery ministries ministry \
    monastery mortgage motel motorcycles movers music nails nursery nurseries nursing opticians optik opera orthodontics \
    orthopedics osteopathy outfitters painting parish pastry patisserie pediatrics personalberatung pest petrol pets \
    physiotherapy physio pilates pizzeria plastering plumbers plumbing podcast polo pottery poultry praxis press principle \
    psychotherapy pub quilts radio ranch rafting recycling rehab removals rental rentals roasters roofing rowing rugby \
    sailing salon sanitar sawmill scaffolding schreinerei schule scouts seafood shipping shoes skating ski skiing snacks \
    soccer softball spa squash stable stables stationery steakhouse steuerkanzlei supermarket surf surfing surveyors sushi \
    swimming tailor tailors tattoo tavern taxi taxis tennis textiles tiling timber tire tires tischlerei triathlon tuning \
    upholstery veterinary vets vineyard vineyards volleyball watches weddings welding werbeagentur wellness woodwork \
    woodworks wrestling yachts yoga zahnarzt zahnarztpraxis zoo opticien comptable notaire kauferclub \
    apparel badminton bags bakers barbers bath bathrooms beds beer bees beverages bicycles birds blankets books bookshop \
    boutique boys bread breads bridal bricks cakes candies candles cannabis carpets cars cats certified cheese chess \
    chocolate chocolates cider climbing coffee colour cooking corsets costumes curtains diamonds dining dishes divers diving \
    dogs dolls drinks drones expert experts fabrics fashions ferry firearms fish flowers footwear freelancer freelancers \
    fruit fruits furnishings fur gems gifts girls glass glasses gold guns hair handbags hats helmets herbs hiking honey \
    hosiery ice jeans jewels juice juices kayaks kids kites lamps leather lettings lingerie lumber marble mattresses meat \
    metals milk mills monkey moving mugs nutrition olives orchards ornaments paints partner partneragentur pens perfume \
    perfumes pianos pillows pizza plants poker prints puppets reseller resellers rescue retreat retreats rice rugs salads \
    sandals sausages scooters seeds sewing shelters shirts sneakers soap soaps socks sofas spezialist spezialisten spices \
    stone stoves strings sunglasses sweets swimwear tea teas tents theatres timepieces tobacco tractors trailers trees \
    trucks umbrellas vegan vegetables violins walkers walks wedding windmills wine wool worship \
    acquisition adhesives aerospace agriculture agro aluminium aluminum alumni ambulance appliances automobile \
    automotive banking barristers batteries bearings biologics biomedical biosciences biotech bricklaying \
    broadcasting brokerage brokers car cargo cement chamber chambers chemical chemicals chocolatier coal coatings \
    commodities cottages courier credit crops crude defence defense developers diagnostics diesel electric \
    electrical electricity electronics elevators equities equity fertility fertilizers fibre foundry freight fuel \
    fuels fund funds furnishers gas genetics genomics geothermal glazing grain grocers grocery guitars homeowners \
    homes hydraulics hydro infantry instruments investing investment investments investors knitwear laboratories \
    laboratory landscape lending lifestyle livestock loans lotteries lottery machinery marina marine maternity \
    military mineral minerals miners mobility motor mutual nuclear oil optical packaging paramedics pension pensions \
    pesticides petroleum planters plastics polymers printers printing properties property quarry rail railway \
    railways refinery refrigeration renewables retirement rubber savings securities semiconductor semiconductors \
    shipyard shipyards solar solvents steelworks telescopes toll turbines undertakers utilities vaccines ventilation \
    warehousing wash waste water wholesale wholesalers wind wood partners studio studios ventures";

/// First names: who writes about a vendor, or advises its customers, goes by the vendor's name and their own.
const FIRST_NAMES: &str = "adam adrian alan albert alex alice amy andrea andreas andrew andy angela anna anne anthony antonio \
    barbara ben benjamin bernd bernard betty bill bob brandon brian bruno carla carlos carol caroline cathy charles \
    charlie chris christian christine christoph cindy clara connor dan daniel dave david dennis derek diana dieter donald \
    doris doug dylan eddie edward elena elizabeth ellen emily emma eric erik ethan eva evelyn florian frances francesca \
    francois franz fred frederic gary george georg gerard gerhard giovanni giulia greg hannah hans harry heather heidi \
    heinz helen helga henri henry holger howard hugo ian ingrid isabel isabella jacob jacques jake james jamie jan jane \
    janet jason jean jeff jennifer jenny jens jeremy jessica jim joanna joe johann johannes john johnny jonas jonathan \
    jorge jose joseph joshua juan judith julia julian julie jurgen karen karin karl kate kathy katie keith kelly ken \
    kenneth kevin klaus kurt larry lars laura lauren leo leon leonard linda lisa lorenzo louis luca lucas lucia lucy luis \
    luke manfred manuel marc marco marcus margaret maria marie mario mark markus martha martin mary mateo matt matthew \
    matthias mia michael michel michelle miguel mike monica nancy natalie nathan nicholas nick nicolas nina norbert oliver \
    olivia oscar pablo pamela pascal patricia patrick paul paula pauline pedro peter petra phil philip philipp pierre \
    rachel ralf ralph raymond rebecca rene richard rick rob robert roberto roger roland ronald rosa roy ryan sabine sally \
    sam samantha samuel sandra sara sarah scott sean sebastian sharon simon sofia sophia sophie stefan stephanie stephen \
    steve steven sue susan suzie sven teresa terry theresa thierry thomas tim timothy tina tobias todd tom tony tracy \
    ursula uwe valentina vanessa veronica vincent walter wendy werner wilhelm william wolfgang xavier yvonne";

/// Words that say that a name is a company's and not a product's.
const FIRMS: &str = "group groups holding holdings company companies industries enterprises limited incorporated \
    corporation global international worldwide";

/// Words of what software is and does, which its makers put behind their names; they are in names of their own too.
const TECHNICAL: &str = "ads alerts beanstalk bi board boards browser cache calendar commerce containers copilot desk devops directory \
    dns docs drive edge events firewall functions gpt images kafka kubernetes lambda logs manager maps meetings messenger mfa \
    mobile pipelines pixel postgres query queue registry repository secrets serverless sites sql sso streams synthetics traces \
    tunnel vault waf warehouse webinar webinars whiteboard workflows";

/// Cities that companies of the place have in their names, behind what they do there.
const CITIES: &str = "aachen amsterdam antwerp athens atlanta augsburg austin baltimore barcelona basel bath belfast berlin bern \
    bielefeld bilbao birmingham bochum bologna bonn bordeaux boston bremen bristol brno brussels budapest calgary cambridge \
    cardiff chicago cologne copenhagen cork dallas denver detroit dortmund dresden dublin duisburg dusseldorf edinburgh \
    eindhoven erfurt essen florence frankfurt freiburg geneva genova gent glasgow graz hague halle hamburg hannover \
    heidelberg helsinki houston innsbruck karlsruhe kassel kiel koln krakow lausanne leeds leipzig lille lisbon liverpool \
    ljubljana london lubeck luzern lyon madrid mainz malaga malmo manchester mannheim marseille melbourne miami milan milano \
    montreal munchen munich munster nantes naples napoli nice nurnberg oslo ottawa oxford palermo paris philadelphia phoenix \
    porto prague reykjavik riga rome roma rotterdam salzburg seattle sevilla sheffield sofia stockholm strasbourg stuttgart \
    sydney tallinn tampa torino toronto toulouse turin utrecht valencia vancouver venice verona vienna vilnius warsaw \
    warszawa wien wiesbaden wroclaw wuppertal zagreb zurich";

/// Words that join others; no product is called so.
const JOINING: &str = "and or of for in on at by the a an to with from und et y e our your its like";

/// Ends of domains, as words after a dot.
const TOP_LEVEL: &str = "com io ai co net org app dev eu us uk de fr ch at nl so sh tech cloud me tv gg xyz inc hq";

/// Countries and regions, as companies have them in their names.
const PLACES: &str = "emea apac latam anz dach benelux nordics nordic asia europe european africa america americas oceania \
    pacific middle east north south latin west western eastern northern southern region regional overseas eu eea uk us usa \
    uae gb states united kingdom emirates england scotland wales ireland irish britain british germany german deutschland \
    france french austria osterreich switzerland schweiz suisse netherlands nederland holland belgium belgie belgique \
    luxembourg spain espana iberia portugal italy italia greece malta cyprus denmark danmark sweden sverige norway norge \
    finland suomi iceland estonia latvia lithuania poland polska czech czechia slovakia hungary romania bulgaria \
    slovenia croatia serbia ukraine turkey turkiye israel egypt morocco nigeria kenya canada canadian mexico brazil \
    brasil argentina chile colombia peru australia australian zealand new india indian pakistan bangladesh lanka \
    singapore malaysia thailand vietnam philippines indonesia china chinese hong kong taiwan japan nippon korea california \
    delaware london dublin berlin paris amsterdam zurich tokyo sydney toronto york francisco san international global \
    worldwide";

fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_whitespace().collect()
}

static CORPORATE_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(CORPORATE));
static PRODUCT_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(PRODUCT));
static GENERIC_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(GENERIC));
static LEFT_OUT_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(LEFT_OUT));
static OTHER_TRADE_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(OTHER_TRADES));
static FIRST_NAME_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(FIRST_NAMES));
static JOINING_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(JOINING));
static TECHNICAL_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(TECHNICAL));
static FIRM_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(FIRMS));
static CITY_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(CITIES));
static TOP_LEVEL_DOMAINS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(TOP_LEVEL));
static PLACE_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(PLACES));

/// Some 3,800 common English words and first names. Companies are named after them, and so are others.
static ORDINARY_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(include_str!("ordinary_words.txt")));

pub(super) fn is_corporate(word: &str) -> bool {
    CORPORATE_WORDS.contains(word)
}

pub(super) fn is_product(word: &str) -> bool {
    PRODUCT_WORDS.contains(word)
}

pub(super) fn is_place(word: &str) -> bool {
    PLACE_WORDS.contains(word)
}

pub(super) fn is_other_trade(word: &str) -> bool {
    OTHER_TRADE_WORDS.contains(word)
}

pub(super) fn is_first_name(word: &str) -> bool {
    FIRST_NAME_WORDS.contains(word)
}

/// Whether a name that ends in a word is a company's and not a product's.
pub(super) fn is_firm(word: &str) -> bool {
    FIRM_WORDS.contains(word)
}

pub(super) fn is_city(word: &str) -> bool {
    CITY_WORDS.contains(word)
}

/// Whether a word says what a service does, as products of software have it in their names.
pub(super) fn is_technical(word: &str) -> bool {
    !is_joining(word)
        && !is_place(word)
        && (GENERIC_WORDS.contains(word) || TECHNICAL_WORDS.contains(word) || is_product(word))
}

pub(super) fn is_joining(word: &str) -> bool {
    JOINING_WORDS.contains(word)
}

pub(super) fn is_top_level(word: &str) -> bool {
    TOP_LEVEL_DOMAINS.contains(word)
}

/// Whether people leave a word out at the end of a name: "Grafana" for "Grafana Labs".
pub(super) fn is_left_out(word: &str) -> bool {
    LEFT_OUT_WORDS.contains(word) || is_corporate(word) || is_product(word) || is_place(word)
}

/// Whether a word says what is done, where or by what kind of company, but not by whom.
pub(super) fn is_generic(word: &str) -> bool {
    GENERIC_WORDS.contains(word) || is_corporate(word) || is_product(word) || is_place(word) || is_joining(word)
}

/// Whether a word is one of the language, in any of its forms.
pub(super) fn is_ordinary(word: &str) -> bool {
    let known = |word: &str| word.len() > 2 && (ORDINARY_WORDS.contains(word) || is_generic(word));
    if known(word) {
        return true;
    }
    let stems = ["s", "es", "d", "ed", "r", "er", "ing", "ly", "y"].iter().filter_map(|end| word.strip_suffix(end));
    stems.into_iter().any(|stem| known(stem) || (word.ends_with("ing") && known(&format!("{stem}e"))))
}

/// Whether a word was made for one company: nobody else is likely to have it in its name.
pub(super) fn is_coined(word: &str) -> bool {
    const SHORTEST: usize = 5;
    word.chars().count() >= SHORTEST
        && !is_ordinary(word)
        && !is_top_level(word)
        && !word.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a short word is none of the language all the same: "okta", "zoho".
pub(super) fn is_rare(word: &str) -> bool {
    const SHORTEST: usize = 4;
    word.chars().count() >= SHORTEST
        && !is_ordinary(word)
        && !is_top_level(word)
        && word.chars().all(char::is_alphabetic)
}

/// The singular of a regular plural, so that "payments" and "payment" are the same word of a trade.
pub(super) fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem,
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_language_are_not_coined() {
        for word in
            ["linear", "notions", "stitched", "rendering", "apollo", "payments", "analytics", "close", "ads", "12345"]
        {
            assert!(!is_coined(word), "{word}");
        }
        for word in ["twilio", "google", "hubspot", "cloudflare", "zendesk", "datadog", "auth0", "mailchimp"] {
            assert!(is_coined(word), "{word}");
        }
    }

    #[test]
    fn the_list_of_words_is_in_order_and_folded() {
        let words: Vec<&str> = include_str!("ordinary_words.txt").split_whitespace().collect();
        assert!(words.is_sorted() && words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }
}
