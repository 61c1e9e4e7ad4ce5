//! Style sheet, scripts and drawings, as they were built in.

use super::{Answer, error_page};
use crate::guard::Caller;
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use mercat_app::AppError;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../static/", $name))
    };
}

pub(super) async fn asset(Path(file): Path<String>, caller: Caller) -> Answer {
    let (kind, text) = match file.as_str() {
        "style.css" => ("text/css; charset=utf-8", file!("style.css")),
        "mercat.js" => ("text/javascript; charset=utf-8", file!("mercat.js")),
        "upload.js" => ("text/javascript; charset=utf-8", file!("upload.js")),
        "mark.svg" => ("image/svg+xml", file!("mark.svg")),
        "container.svg" => ("image/svg+xml", file!("container.svg")),
        "virtual-machine.svg" => ("image/svg+xml", file!("virtual-machine.svg")),
        _ => return Err(error_page(&caller, &AppError::NotFound)),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")];
    Ok((headers, text).into_response())
}
