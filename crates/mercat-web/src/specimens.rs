//! Images that scanners pull while they are certified, before any listing names them.

use mercat_app::{AppError, Repository};
use mercat_depot::Depot;
use mercat_domain::Digest;
use mercat_store::ListedPlan;
use std::sync::{Arc, Mutex, PoisonError};

/// Images that are remembered: what belongs to one is asked once a blob, and told by walking all its manifests.
const REMEMBERED: usize = 16;

/// What was asked for last.
#[derive(Default)]
pub(crate) struct Specimens(Mutex<Vec<Arc<Repository>>>);

impl Specimens {
    /// The manifests and blobs of an image as a repository without tags. Whether the caller may see it was
    /// decided before.
    pub(crate) async fn repository(
        &self,
        depot: &Depot,
        name: &str,
        digest: &Digest,
    ) -> Result<Arc<Repository>, AppError> {
        if let Some(known) = self.list().iter().find(|known| known.name == name) {
            return Ok(known.clone());
        }
        let image = mercat_depot::held(depot, digest).await.map_err(|error| {
            tracing::warn!(digest = %digest, error = %error, "a specimen is not in the depot");
            AppError::NotFound
        })?;
        let manifests =
            image.manifests.into_iter().map(|(digest, kind)| (digest.to_string(), kind)).collect();
        let blobs = image.blobs.into_iter().map(|(digest, _)| digest.to_string()).collect();
        let plan = ListedPlan { manifests, blobs, ..ListedPlan::default() };
        let found = Arc::new(Repository { name: name.to_owned(), plan });
        let mut list = self.list();
        if list.len() >= REMEMBERED {
            list.remove(0);
        }
        list.push(found.clone());
        Ok(found)
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Repository>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
