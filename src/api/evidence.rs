//! RenderNoticeEvidence: the request, one call, the answer.

use super::Api;
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{RenderNoticeEvidenceRequest, RenderNoticeEvidenceResponse},
};

impl Api {
    pub(super) async fn notice_evidence(
        &self,
        _request: &RenderNoticeEvidenceRequest,
    ) -> Result<RenderNoticeEvidenceResponse> {
        Err(Error::new(Reason::NotSupported, "not yet"))
    }
}
