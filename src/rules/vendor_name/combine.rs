//! What the pieces of a name say together: the name itself decides, what stands beside it makes it surer, or more
//! exact.

use super::{
    MATCH,
    index::{Index, is_distinct},
    judge::{Finds, Found, How},
    normalize::Reading,
    pieces::{Piece, Role, pieces},
};

/// A vendor that a name may mean.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) found: Found,
    pub(super) role: Role,
    /// The known texts that name an entity and a service of it.
    pub(super) entity: Option<u32>,
    pub(super) service: Option<u32>,
}

/// A piece with what it may mean.
struct Judged {
    piece: Piece,
    finds: Finds,
}

impl Index {
    /// The vendors that a name may mean, which is no list.
    pub(super) fn read(&self, text: &str) -> Vec<Verdict> {
        // A name that is known as it stands is not taken apart.
        let whole = self.exactly(&Reading::of(text));
        if whole.best() >= 0.95 {
            let verdicts = whole.0.into_iter().map(|found| self.verdict(found, Role::Head)).collect();
            return self.in_order(verdicts);
        }
        let judged: Vec<Judged> =
            pieces(text).into_iter().map(|piece| Judged { finds: self.judge(&piece), piece }).collect();
        let mut verdicts = self.weigh(&judged);
        self.together(&judged, &mut verdicts);
        self.in_order(verdicts)
    }

    fn verdict(&self, found: Found, role: Role) -> Verdict {
        let known = self.known.get(found.known as usize);
        // A legal name in another form is of another company.
        let is_its = matches!(found.how, How::Exact) || known.is_some_and(|known| !known.service.is_empty());
        let is_unformed = found.how == How::OtherForm && found.score > 0.96;
        let is_slip = found.how == How::Slip;
        let entity = known.is_some_and(|k| !k.entity.is_empty()) && (is_its || is_unformed || is_slip);
        let service = known.is_some_and(|k| !k.service.is_empty());
        Verdict { role, entity: entity.then_some(found.known), service: service.then_some(found.known), found }
    }

    /// The vendors of all pieces, each weighed by what its piece says.
    fn weigh(&self, judged: &[Judged]) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        let head: Vec<Found> = of_role(judged, &[Role::Head]).flat_map(|j| j.finds.0.iter().copied()).collect();
        let is_known = head.iter().any(|found| found.score >= MATCH);
        for one in judged {
            for found in &one.finds.0 {
                let score = match one.piece.role {
                    Role::Head => self.head(found, one, judged),
                    Role::Same => found.score * 0.98,
                    Role::Former => found.score * 0.96,
                    Role::Beside => self.beside(found, &head, is_known, judged),
                    Role::Owner => self.owner(found, one, is_known, judged),
                    Role::Note => found.score.min(0.55),
                };
                add(&mut verdicts, self.verdict(Found { score, ..*found }, one.piece.role));
            }
        }
        verdicts
    }

    /// How sure the name itself is, given what stands beside it.
    fn head(&self, found: &Found, head: &Judged, judged: &[Judged]) -> f64 {
        let mut score = found.score;
        let distinct = is_distinct(&head.piece.reading.words);
        for other in judged {
            let piece = &other.piece;
            let sure = other.finds.0.iter().filter(|other| other.score >= MATCH);
            let is_owner = matches!(piece.role, Role::Owner | Role::Beside)
                && sure.clone().any(|other| self.owns(other.vendor, found.vendor));
            if is_owner {
                // The owner beside it says which of the like names is meant.
                score = if score >= MATCH {
                    (score + 0.01).min(1.0)
                } else {
                    score.max(0.85 - 2.0 * (0.7 - score).max(0.0))
                };
                continue;
            }
            let understood = piece.is_general() || sure.clone().next().is_some();
            let factor = match piece.role {
                Role::Head => 1.0,
                // Another name that it has now, and that is somebody else's.
                Role::Same if sure.clone().any(|other| other.vendor != found.vendor) => {
                    let agrees = sure.clone().any(|other| other.vendor == found.vendor);
                    if agrees { 1.0 } else { 0.79 }
                }
                Role::Same | Role::Former => 0.98,
                _ if piece.is_loose => match (understood, distinct) {
                    (true, _) => 0.96,
                    (false, true) => 0.9,
                    (false, false) => 0.74,
                },
                _ if piece.is_listed => match (understood || !head.piece.reading.form.is_empty(), distinct) {
                    (true, _) => 0.97,
                    (false, true) => 0.9,
                    (false, false) => 0.86,
                },
                _ => 0.99,
            };
            score *= factor;
        }
        // The product of it in brackets is what is meant.
        let specific = of_role(judged, &[Role::Beside, Role::Same])
            .flat_map(|j| j.finds.0.iter())
            .any(|other| other.score >= 0.9 && self.owns(found.vendor, other.vendor));
        if specific { score.min(0.85) } else { score }
    }

    /// How sure what stands beside a name is: it can be a product of it, its owner, its brand, or a remark.
    fn beside(&self, found: &Found, head: &[Found], is_known: bool, judged: &[Judged]) -> f64 {
        let sure = || head.iter().filter(|head| head.score >= MATCH);
        if sure().any(|head| head.vendor == found.vendor) {
            return found.score;
        }
        if found.score >= 0.9 && sure().any(|head| self.owns(head.vendor, found.vendor)) {
            return found.score * 0.98;
        }
        if head.iter().any(|head| head.score >= 0.6 && self.owns(found.vendor, head.vendor)) {
            return found.score.min(0.75);
        }
        if is_known {
            return found.score.min(0.6);
        }
        // An unlikely reading of the name that agrees with what stands beside it is a likely one.
        if head.iter().any(|head| head.vendor == found.vendor && head.score >= 0.5) {
            return found.score * 0.95;
        }
        // "AC PM LLC (Postmark)" is a company with its brand; "Credly (Pearson)" is a brand with its owner.
        let is_company = of_role(judged, &[Role::Head]).any(|head| !head.piece.reading.form.is_empty());
        found.score.min(if is_company && self.is_maker(found) { 0.82 } else { 0.75 })
    }

    /// How sure the owner of a name that nobody knows is: a product by a vendor is the vendor's, a company that it owns
    /// is another company.
    fn owner(&self, found: &Found, owner: &Judged, is_known: bool, judged: &[Judged]) -> f64 {
        let is_product = owner.piece.is_loose && self.is_maker(found);
        let kind = of_role(judged, &[Role::Head]).all(|head| head.piece.is_general());
        found.score.min(match () {
            () if is_known => 0.6,
            () if is_product || (kind && self.is_maker(found)) => 0.82,
            () => 0.7,
        })
    }

    /// Whether a vendor that stands beside an unknown name is likely to be its brand or maker: of one that sells hosting
    /// it is as likely that the other runs there.
    fn is_maker(&self, found: &Found) -> bool {
        let is_exact = matches!(found.how, How::Exact | How::OtherForm | How::Domain) && found.score >= 0.9;
        is_exact && !["hosting", "infrastructure"].iter().any(|word| self.is_trade(found.vendor, word))
    }

    /// Names that two pieces make together: "Analytics (Google)".
    fn together(&self, judged: &[Judged], verdicts: &mut Vec<Verdict>) {
        let Some(head) = of_role(judged, &[Role::Head]).next() else { return };
        for beside in of_role(judged, &[Role::Beside]) {
            let (head, beside) = (&head.piece.reading.words, &beside.piece.reading.words);
            for words in [[head.as_slice(), beside].concat(), [beside.as_slice(), head].concat()] {
                let reading = Reading { compact: words.concat(), words, form: String::new() };
                let finds = self.exactly(&reading);
                for found in finds.0.iter().filter(|found| found.how == How::Exact) {
                    let mut found = *found;
                    found.score *= 0.97;
                    for other in verdicts.iter_mut().filter(|other| self.owns(other.found.vendor, found.vendor)) {
                        other.found.score = other.found.score.min(0.85);
                    }
                    add(verdicts, self.verdict(found, Role::Head));
                }
            }
        }
    }

    /// Best first; of equal ones, owners first.
    fn in_order(&self, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
        let depth = |verdict: &Verdict| self.owners(verdict.found.vendor).count();
        let name = |verdict: &Verdict| self.holder(verdict.found.vendor).map(|holder| &holder.name);
        verdicts.sort_by(|a, b| {
            let by_score = b.found.score.total_cmp(&a.found.score);
            by_score.then_with(|| depth(a).cmp(&depth(b))).then_with(|| name(a).cmp(&name(b)))
        });
        verdicts
    }
}

fn of_role<'a>(judged: &'a [Judged], roles: &'a [Role]) -> impl Iterator<Item = &'a Judged> {
    judged.iter().filter(|one| roles.contains(&one.piece.role))
}

/// Keeps the best for each vendor. Two pieces that name the same one are surer than each.
fn add(verdicts: &mut Vec<Verdict>, verdict: Verdict) {
    let Some(other) = verdicts.iter_mut().find(|other| other.found.vendor == verdict.found.vendor) else {
        verdicts.push(verdict);
        return;
    };
    let both = other.found.score >= MATCH && verdict.found.score >= MATCH;
    let (entity, service) = (other.entity.or(verdict.entity), other.service.or(verdict.service));
    if verdict.found.score > other.found.score {
        *other = verdict;
    }
    if both {
        other.found.score = (other.found.score + 0.02).min(1.0);
    }
    (other.entity, other.service) = (entity, service);
}
