//! The phrases of headings, in the languages in which lists are published: as many as there are words for such columns.

use std::{collections::HashMap, sync::LazyLock};

use super::Field;

/// A phrase, with its words.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) field: Field,
    pub(super) confidence: f64,
    pub(super) text: &'static str,
    /// Each with whether any ending may follow.
    words: Vec<(&'static str, bool)>,
}

impl Phrase {
    /// How many words it is.
    pub(super) fn length(&self) -> usize {
        self.words.len()
    }

    fn begins(&self, words: &[String]) -> bool {
        let fits = |(word, (part, open)): (&String, &(&str, bool))| match open {
            true => word.starts_with(part),
            false => word == part,
        };
        words.len() >= self.words.len() && words.iter().zip(&self.words).all(fits)
    }
}

/// The phrases, by what their first words begin with.
#[derive(Debug, Default)]
struct Phrases {
    all: Vec<Phrase>,
    by_first: HashMap<&'static str, Vec<usize>>,
    longest: usize,
}

static TABLE: LazyLock<Phrases> = LazyLock::new(|| {
    let mut table = Phrases::default();
    for (field, confidence, phrases) in PHRASES {
        for text in phrases.split("; ") {
            let part = |word: &'static str| word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
            let words: Vec<(&str, bool)> = text.split(' ').map(part).collect();
            let Some((first, _)) = words.first() else { continue };
            table.longest = table.longest.max(first.len());
            table.by_first.entry(*first).or_default().push(table.all.len());
            table.all.push(Phrase { field: *field, confidence: *confidence, text, words });
        }
    }
    table
});

/// The phrases that stand among words, each with its place, in their own order.
pub(super) fn among(words: &[String]) -> Vec<(usize, &'static Phrase)> {
    let table = &*TABLE;
    let mut found = Vec::new();
    for at in 0..words.len() {
        let Some((first, rest)) = words.get(at..).and_then(|rest| Some((rest.first()?, rest))) else { continue };
        let ends = first.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= table.longest);
        let numbers = ends.filter_map(|end| table.by_first.get(&first[..end])).flatten();
        let fits = |number: &&usize| table.all.get(**number).is_some_and(|phrase| phrase.begins(rest));
        found.extend(numbers.filter(fits).map(|number| (*number, at)));
    }
    found.sort_unstable();
    found.into_iter().filter_map(|(number, at)| Some((at, table.all.get(number)?))).collect()
}

/// The words of phrases, without their endings.
pub(super) fn parts() -> impl Iterator<Item = &'static str> {
    TABLE.all.iter().flat_map(|phrase| phrase.words.iter().map(|(word, _)| *word))
}

/// Phrases of headings, each a sequence of words, with a semicolon between two of them; `*` at the end of a word stands
/// for any ending. The longest phrase of a heading decides; of phrases of one length the surest.
const PHRASES: &[(Field, f64, &str)] = &[
    (
        Field::Name,
        0.9,
        "subprocessor*; sub processor*; subcontractor*; sub contractor*; vendor*; supplier*; provider*; entity; \
         entity name; entities; company; company name; organisation; organization; third party*; third part*; \
         name of subprocessor; name of sub processor; legal entity; recipient*; service provider*; processor; \
         processor name; party; partner*; legal name; business name; vendor name; supplier name; \
         company and address; name and address; third party entity; third party service*; \
         unterauftragsverarbeiter*; unterauftragnehmer*; auftragsverarbeiter*; unter auftragsverarbeiter*; \
         subunternehmer*; dienstleister*; anbieter*; firma; unternehmen; empfanger*; sous traitant*; \
         prestataire*; fournisseur*; subprozessor*; societe; entreprise; destinataire*; subencargado*; sub encargado*; \
         encargado*; proveedor*; empresa; subresponsabil*; sub responsabil*; fornitore; fornitori; societa; \
         azienda; fornecedor*; subcontratante*; suboperador*; subverwerker*; sub verwerker*; leverancier*; \
         bedrijf*; underbitrade*; underbitraden*; leverantor*; foretag*; underdatabehandler*; underleverandor*; \
         leverandor*; databehandler*; virksomhed*; alikasittelija*; podprocesor*; podmiot*; \
         nazwa podmiotu; subprocesador*; subprocessador*; subfornitor*; tercero*; auftragnehmer*; datenempfanger; \
         drittanbieter*; leistungserbringer*; underbitrad*; 업체명; 업체; 수탁*; 회사명; 처리자*; 委託先*; \
         再委託先*; 事業者*; 会社名*; 企業名*; サブプロセッサ*; 復処理者*; 供应商*; 服务商*; 子处理者*; 分处理者*; 公司名称; 第三方*; dostawca; \
         dalsi zpracovatel*; zpracovatel*; dodavatel*",
    ),
    (
        Field::Name,
        0.75,
        "name; names; nom; nombre; nome; naam; 名称; 이름; 名前; namn; navn; nimi; nazwa; nazev; bezeichnung",
    ),
    (
        Field::Name,
        0.5,
        "类别; カテゴリ*; service; services; tool; tools; product; platform; application; app; software; system; \
         category; categories; dienst; dienste; outil; servicio; servizio; applicable subprocessor*; solution; \
         integration; saas; kategorie",
    ),
    (
        Field::Purpose,
        0.95,
        "purpose*; description of processing; purpose of processing; processing purpose*; function*; activity; \
         activities; subprocessing activit*; processing activit*; description purpose; use; usage; use case*; \
         used for; nature of processing; nature of subprocessing; nature of sub processing; nature and purpose*; \
         subject matter*; subject matter nature and duration*; subject nature and duration*; \
         nature purpose and duration*; service provided; services provided; services performed; \
         service performed; what they do; what we use it for; what it is used for; reason; reason for use; \
         processing operation*; typical purpose*; nature of service*; description of service*; \
         scope of processing; type of processing; task*; zweck*; verarbeitungszweck*; verwendungszweck*; \
         leistung*; functie*; funcao; funcoes; tatigkeit*; aufgabe*; einsatzzweck*; funktion*; gegenstand*; beschreibung der verarbeitung; \
         art der verarbeitung; art der dienstleistung; actividad*; uso; activite*; utilisation; attivita*; \
         uso previsto; atividade*; activiteit*; aktivitet*; gebruik; anvandning; verwendung*; nutzung*; \
         finalite*; objet; fonction*; objectif*; finalidad*; proposito*; funcion*; finalita; scopo*; funzione; \
         finalidade*; doel*; doeleinde*; andamal*; syfte*; formal*; tarkoitus; kayttotarkoitus; cel*; ucel*; \
         what they process; what it processes; what we use*; 목적*; 이용목적*; 위탁 업무*; 위탁업무*; 업무*; 目的*; 利用目的*; 用途*; \
         業務*; 委託業務*; 委託内容*; 典型用途*; 处理目的*",
    ),
    (
        Field::Purpose,
        0.7,
        "description; beschreibung; descripcion; descrizione; descricao; omschrijving; beskrivning; beskrivelse; \
         details",
    ),
    (
        Field::Purpose,
        0.6,
        "service; services; service description; type of service*; service type; entity type; type; \
         services used; dienst; dienste; dienstleistung*; servicio*; servizio; servizi; dienstverlening; \
         tjanst*; ydelse*; role; category of service*; service category; kind of service; category; \
         functionality; product; products used",
    ),
    (
        Field::Location,
        0.95,
        "location*; location of processing; processing location*; geographic location*; geographical location*; \
         place of processing; country of processing; processing countr*; data location*; data center*; \
         data centre*; datacenter*; hosting location*; hosting region*; storage location*; location of data; \
         data residency; residency; data region*; processing region*; hosting country; data storage location*; \
         location of subprocessor*; location of sub processor*; where; server location*; territory; territories; \
         geography; jurisdiction*; place; places; region of processing; standort*; verarbeitungsort*; ort; \
         ort der verarbeitung; serverstandort*; ort der datenverarbeitung; speicherort*; lieu*; \
         lieu de traitement; localisation*; emplacement*; ubicacion*; lugar*; localizacion*; ubicazione; luogo; \
         localizacao; regiao; regioes; regio*; vestiging regio*; locatie*; verwerkingslocatie*; plaats van verwerking; \
         land van verwerking; miejsce przetwarzania; behandlingsplats; behandlingssted; pais de tratamiento; \
         pais de tratamento; pays de traitement; paese di trattamento; land der verarbeitung; verarbeitungsland; \
         hebergement des donnees; lieu d'hebergement; rechenzentrum*; plats; sijainti; lokalizacja; umisteni; lokation*; placering; 所在地*; 所在国*; 国名; \
         処理場所*; 保管場所*; データ保管*; データの保管*; データ保存*; データ処理場所*; データの処理場所*; データセンター*; データ所在*; 국가; 이전 국가; 소재지; 위치; \
         数据存储*; 数据中心*; 数据所在*; 数据处理地*; 处理地*; 存储地*; 데이터 위치; 처리 위치*; 보관 위치*; 国家*; 地区*; 位置*",
    ),
    (
        Field::Location,
        0.85,
        "country; countries; region; regions; city; country region; land; lander; pays; pais; paises; paese; \
         paesi; landen; maa; kraj; zeme; state; drittland; region country",
    ),
    (
        Field::EntityCountry,
        0.97,
        "corporate location*; corporate country; entity country; entity location*; headquarter*; hq; \
         head office; country of incorporation; incorporated in; place of incorporation; \
         country of establishment; place of establishment; registered office*; registered country; \
         company location; company country; country of registration; corporate headquarter*; hq location; \
         vendor country; corporate seat; seat; country of origin; location of entity; location of headquarters; \
         sitz; firmensitz; unternehmenssitz; sitzland; sitz des unternehmens; hauptsitz; siege; siege social; \
         sede; sede legal; sede legale; vestigingsland; hoofdkantoor; hemvist; sate; hjemland; vestigingsplaats*; \
         plaats van vestiging; zetel; land van vestiging; pais de constitucion; domicilio social; domicilio; siedziba; \
         pays d'etablissement; pays du siege; land der niederlassung; niederlassung; sidlo",
    ),
    (
        Field::Website,
        0.95,
        "website*; web site*; url; link; homepage; web page; webpage; domain; webseite; site web; sitio web; \
         sito web; hemsida; hjemmeside",
    ),
    (
        Field::DataCategories,
        0.9,
        "category of personal*; categories of personal*; category of information; categories of information; \
         category of data; personal information; data; data subject to*; personal data; data processed; \
         data categor*; categories of data; categories of personal data; category of data; type of data; \
         types of data; data type*; data shared; data involved; customer data involved; \
         data potentially involved; personal data processed; data collected; data accessed; data elements; \
         type of personal data; types of personal data; personal data categories; information processed; \
         information shared; data transferred; customer data; daten; datenkategorie*; datenart*; art der daten; \
         kategorien personenbezogener daten; personenbezogene daten; verarbeitete daten; donnees*; \
         categories de donnees; type de donnees; datos*; categorias de datos; tipos de datos; dati; \
         dati personali; categorie di dati; dados; gegevens; persoonsgegevens; categorieen gegevens; \
         personuppgifter; personopplysninger; personoplysninger; 항목; 이전 항목; 처리 항목; データ*; 提供情報*; 数据*; 可能涉及的数据*",
    ),
    (
        Field::SpecialCategories,
        0.95,
        "special categor*; sensitive data; special category data; besondere kategorien; sensitive personal data",
    ),
    (
        Field::DataSubjects,
        0.95,
        "data subject; data subjects*; categories of data subject*; category of data subject*; affected persons; \
         betroffene; betroffene personen; personnes concernees; interesados; betrokkenen",
    ),
    (
        Field::Service,
        0.55,
        "service description; service details; description; services; service; product; products used; \
         functionality; details; dienst; leistung*; dienstleistung*",
    ),
    (
        Field::Condition,
        0.9,
        "condition*; applies to; applies if; applies when; applicable to; only if; when used; enabled when; \
         when enabled; enabled if; applicability; bedingung*; opt in; used when; used if",
    ),
    (Field::Role, 0.5, "role; rolle"),
    (
        Field::StartDate,
        0.9,
        "start date; date added; added; added on; effective date; effective from; in use since; since; \
         engaged since; used since; date of addition; date engaged; onboarded; seit; ab; effective; effective as of; \
         gultig ab; start; starting; go live; go live date; planned start*; expected start*; planned for; planned from; \
         date of engagement; engagement date; engaged from; engaged on; beginn; startdatum; einsatz ab; im einsatz seit; \
         date d'ajout; date de debut; depuis; fecha de inicio; fecha de alta; desde; sinds; ingangsdatum; vanaf; \
         data di inizio; data inizio; dal; onboarding date; date of onboarding; date of appointment; used from; \
         in use from; expected date; planned date; target date; commencement*; date of commencement; active since; \
         live since; hinzugefugt am; anvands sedan; dato",
    ),
    (
        Field::EndDate,
        0.9,
        "end date; date removed; removed; removed on; until; effective until; removal date; date of removal; \
         offboarding date; termination date; last day; retired on; used until; bis; enddatum; date de fin; fecha de fin; \
         fecha de baja; einddatum; data di fine; entfernt am",
    ),
    (Field::Affiliate, 0.9, "affiliate; is affiliate; group company; intra group"),
    (
        Field::Address,
        0.95,
        "address*; registered address; postal address; company address; adresse*; anschrift*; direccion; \
         indirizzo; endereco; adres",
    ),
    (
        Field::Contact,
        0.9,
        "contact*; privacy contact; contact detail*; contact information; contact person; dpo; \
         data protection officer; email; e mail; kontakt*; ansprechpartner*",
    ),
    (
        Field::Annotation,
        0.93,
        "legal basis; transfer mechanism*; transfer basis; safeguard*; mechanism*; dpa; terms; dpf; sccs; scc; \
         gdpr*; certification*; compliance; note; notes; remarks; comment*; status; privacy policy; \
         privacy notice; privacy; policy; policies; security; agreement*; data processing agreement; retention*; \
         subprocessor list; sub processor list; subprocessor list url; sub processor url; subprocessors url; \
         privacy policy url; privacy link; dpa link; dpa url; link to dpa; link to privacy policy; \
         terms of service; terms url; policy url; security url; rechtsgrundlage; garantien; bemerkung*; \
         hinweis*; base legale; base legal; last updated; updated; version; logo; id; department*; owner; \
         underlying provider*; hosting provider*; cloud provider*; infrastructure provider*; processor role; \
         supervisory authority; data volume; duration*; duration of processing; adequacy; transfer*; \
         provider type; vendor type; entity id; company number; registration number; vendor id; vat id; \
         external recipient*; schutz; schutzniveau; drittlandschutz; drittland schutz; drittlandtransfer; doorgifte*; transfert*; overdracht*",
    ),
];
