//! Pictures: decoded under limits, encoded anew, kept by digest. Nothing of the original file survives.

use crate::Site;
use image::{ImageFormat, ImageReader, Limits};
use mercat_app::AppError;
use mercat_domain::limits::MEDIA_BYTES_MAX;
use mercat_domain::offer::Problem;
use mercat_store::{Commit, Expect, MediaRow, commit_surely, put};
use std::io::Cursor;

const PIXELS_MAX: u32 = 4096;

/// Stores an uploaded PNG for a publisher.
pub(crate) async fn store(
    site: &Site,
    publisher: &str,
    path: &str,
    bytes: Vec<u8>,
) -> Result<MediaRow, AppError> {
    let refuse = |observed: String, required: &str| {
        AppError::Problems(vec![Problem::new("F010", path, observed, required)])
    };
    if bytes.len() > MEDIA_BYTES_MAX {
        return Err(refuse(format!("{} bytes", bytes.len()), "at most 2 MiB"));
    }
    let decoded = tokio::task::spawn_blocking(move || {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_image_width = Some(PIXELS_MAX);
        limits.max_image_height = Some(PIXELS_MAX);
        limits.max_alloc = Some(128 << 20);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| error.to_string())?;
        let picture = image::DynamicImage::from(picture.to_rgba8());
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, ImageFormat::Png).map_err(|error| error.to_string())?;
        Ok::<_, String>((picture.width(), picture.height(), out.into_inner()))
    })
    .await
    .map_err(|_| refuse("a picture that cannot be decoded".into(), "a PNG"))?;
    let (width, height, png) = decoded.map_err(|why| refuse(why, "a PNG"))?;
    let digest = site
        .depot
        .put(png.into())
        .await
        .map_err(|error| AppError::Ledger(mercat_store::LedgerError::Unavailable(Box::new(error))))?;
    let row = MediaRow { digest: digest.to_string(), publisher: publisher.to_owned(), width, height };
    let mut commit = Commit::new();
    commit.writes.push(put(&row, Expect::Any));
    commit_surely(&*site.app.ledger, &commit).await?;
    Ok(row)
}
