//! What the end of an instrument does to a transfer: its answer with the instrument, and without.

use super::covers;
use crate::proto::v1::{MechanismAssessment, TransferAssessment, simulated_transfer::Effect};

/// What the end of an instrument does to a transfer on a day, given the answer as the law stands and the one without the
/// instrument; with what covers it then. None if it does not touch it.
pub fn effect(
    instrument: &str,
    before: &TransferAssessment,
    after: &TransferAssessment,
) -> Option<(Effect, Option<String>)> {
    let covered = covers(before.verdict());
    if !covers(after.verdict()) {
        let touched = covered || before.verdict != after.verdict;
        let effect = if covered { Effect::CoverLost } else { Effect::NotCoveredBefore };
        return touched.then_some((effect, None));
    }
    let rests_on = |answer: &TransferAssessment| first_covering(answer).map(|one| one.instrument.clone());
    let (first, second) = (rests_on(before), rests_on(after));
    if after.verdict() > before.verdict() {
        return Some((Effect::CoverWeakened, second));
    }
    if first.as_deref() == Some(instrument) && second.as_deref() != Some(instrument) {
        return Some((Effect::SavedByFallback, second));
    }
    let counts = |answer: &TransferAssessment| answer.mechanism_assessments.iter().filter(|one| carries(one)).count();
    (counts(after) < counts(before)).then_some((Effect::FallbackLost, second))
}

/// What a covered transfer rests on: the first of its mechanisms that covers it.
pub fn first_covering(answer: &TransferAssessment) -> Option<&MechanismAssessment> {
    answer.mechanism_assessments.iter().find(|one| carries(one))
}

fn carries(one: &MechanismAssessment) -> bool {
    covers(one.verdict())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Verdict;

    fn answer(verdict: Verdict, mechanisms: &[(&str, Verdict)]) -> TransferAssessment {
        let of = |(instrument, verdict): &(&str, Verdict)| MechanismAssessment {
            instrument: (*instrument).to_owned(),
            verdict: (*verdict).into(),
            ..Default::default()
        };
        let mechanism_assessments = mechanisms.iter().map(of).collect();
        TransferAssessment { verdict: verdict.into(), mechanism_assessments, ..Default::default() }
    }

    #[test]
    fn what_the_end_of_an_instrument_does() {
        use Verdict::{Invalidated, MissingTia, NoMechanism, NotRestricted, Valid};
        let both = answer(Valid, &[("dpf", Valid), ("scc", Valid)]);
        let scc = answer(Valid, &[("dpf", Invalidated), ("scc", Valid)]);
        let weak = answer(MissingTia, &[("dpf", Invalidated), ("scc", MissingTia)]);
        let none = answer(Invalidated, &[("dpf", Invalidated)]);
        let second = answer(Valid, &[("scc", Valid), ("dpf", Valid)]);
        let first = answer(Valid, &[("scc", Valid), ("dpf", Invalidated)]);
        let fallback = Some("scc".to_owned());
        for (before, after, expected) in [
            (&both, &scc, Some((Effect::SavedByFallback, fallback.clone()))),
            (&both, &weak, Some((Effect::CoverWeakened, fallback.clone()))),
            (&answer(Valid, &[("dpf", Valid)]), &none, Some((Effect::CoverLost, None))),
            (&second, &first, Some((Effect::FallbackLost, fallback))),
            (&answer(NoMechanism, &[]), &none, Some((Effect::NotCoveredBefore, None))),
            (&none, &none, None),
            (&scc, &scc, None),
            (&answer(NotRestricted, &[]), &answer(NotRestricted, &[]), None),
        ] {
            assert_eq!(effect("dpf", before, after), expected, "{before:?} {after:?}");
        }
    }
}
