//! Bodies of answers, up to a size and a time.

use reqwest::Response;
use std::time::Duration;

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It goes on behind the limit.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// It did not end in time.
    #[error("the answer did not end within {0} s")]
    TooSlow(u64),
    /// The connection broke.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// Reads a body. However slowly it drips, it ends.
///
/// # Errors
/// When it is longer or lasts longer than is allowed, or breaks off.
pub async fn body(mut answer: Response, bytes_max: usize, time: Duration) -> Result<Vec<u8>, BodyError> {
    if answer.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(BodyError::TooLong(bytes_max));
    }
    let all = async move {
        let mut out = Vec::new();
        loop {
            let chunk = answer.chunk().await.map_err(|error| BodyError::Broken(error.without_url()))?;
            let Some(chunk) = chunk else { return Ok(out) };
            if out.len() + chunk.len() > bytes_max {
                return Err(BodyError::TooLong(bytes_max));
            }
            out.extend_from_slice(&chunk);
        }
    };
    tokio::time::timeout(time, all).await.unwrap_or(Err(BodyError::TooSlow(time.as_secs())))
}
