//! SimulateInstrumentEnd: what is asked, checked all at once.

use super::{Api, as_of, take};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        Regime, SimulateInstrumentEndRequest, SimulateInstrumentEndResponse, period::EndReason,
        simulate_instrument_end_request::Cause,
    },
    resource::{
        name::{Kind, Name, Parent},
        shape::Violations,
        text,
    },
    store::assess::simulate::End,
};

impl Api {
    pub(super) async fn simulate(
        &self,
        request: SimulateInstrumentEndRequest,
    ) -> Result<SimulateInstrumentEndResponse> {
        let mut wrong = Violations::new();
        let instrument = take(Name::of(Kind::Instrument, "instrument", &request.instrument), &mut wrong);
        if request.end_date.is_empty() {
            wrong.push(("end_date".to_owned(), "is required".to_owned()));
        } else if let Err(rule) = text::date(&request.end_date) {
            wrong.push(("end_date".to_owned(), rule));
        }
        let parent = match request.parent.as_str() {
            "" => Some(Parent::Any),
            parent => take(Parent::of_organizations(parent), &mut wrong),
        };
        let mut regimes = Vec::new();
        for (i, number) in request.regimes.iter().enumerate() {
            match Regime::try_from(*number) {
                Ok(regime) if regime != Regime::Unspecified => regimes.push(regime),
                _ => wrong.push((format!("regimes[{i}]"), format!("is not a regime: {number}"))),
            }
        }
        let reason = match Cause::try_from(request.cause) {
            Ok(Cause::Unspecified | Cause::Invalidation) => Some(EndReason::CourtInvalidation),
            Ok(Cause::Expiry) => Some(EndReason::Expired),
            Err(_) => {
                wrong.push(("cause".to_owned(), format!("is not a cause: {}", request.cause)));
                None
            }
        };
        let at = take(as_of(request.as_of.as_ref()), &mut wrong).flatten();
        let (Some(instrument), Some(parent), Some(reason), true) = (instrument, parent, reason, wrong.is_empty())
        else {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        };
        let end = End { instrument, date: request.end_date, regimes, reason };
        self.store.simulate_end(&end, &parent, at).await
    }
}
