//! OCI and Docker manifests, indexes and image configs (image-spec 1.1.1).

mod config;
pub mod reference;

use crate::{ReadError, json};
pub use config::{Config, parse_config};
use mercat_domain::Digest;
use mercat_domain::limits::{INDEX_ENTRIES_MAX, LAYERS_MAX, MANIFEST_BYTES_MAX};
use serde_json::{Map, Value};

/// Media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of Docker image configs.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Media type of an uncompressed OCI layer.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Media type of a layer as gzip over tar.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Media type of a layer as zstd over tar.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The manifest types that are asked for and understood.
pub const MANIFEST_TYPES: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// How a layer is compressed, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain tar.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Reads a layer's media type.
///
/// # Errors
/// `MAN-07` for foreign layers, `MAN-08` for anything unknown.
pub fn compression(media_type: &str) -> Result<Compression, ReadError> {
    match media_type {
        OCI_LAYER | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Compression::None),
        OCI_LAYER_GZIP | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Compression::Gzip),
        OCI_LAYER_ZSTD => Ok(Compression::Zstd),
        foreign if foreign.contains("nondistributable") || foreign.contains("foreign") => {
            Err(ReadError::refused("MAN-07", 0, format!("a foreign layer ({foreign})")))
        }
        other => Err(ReadError::refused("MAN-08", 0, format!("the layer media type {other:?}"))),
    }
}

/// A content descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// Digest.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// `os/architecture[/variant]`, when given.
    pub platform: Option<String>,
    /// Annotations.
    pub annotations: Vec<(String, String)>,
}

impl Descriptor {
    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether it says that it describes an attestation, as some builders put into indexes: annotated, and
    /// for a platform that no runtime selects. Whether it is one shows in its layers: [`holds_documents`].
    pub fn claims_attestation(&self) -> bool {
        self.annotation("vnd.docker.reference.type") == Some("attestation-manifest")
            && self.platform.as_deref() == Some("unknown/unknown")
    }
}

/// Whether no layer is a file system that a runtime would unpack.
pub fn holds_documents(layers: &[Descriptor]) -> bool {
    layers.iter().all(|layer| layer.media_type.starts_with("application/vnd.in-toto"))
}

/// A manifest document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image {
        /// The config blob.
        config: Descriptor,
        /// The layers, lowest first.
        layers: Vec<Descriptor>,
    },
    /// Several manifests.
    Index(Vec<Descriptor>),
}

/// Parses a manifest or index. `declared` is the media type under which it was found.
///
/// # Errors
/// `JSON-01`, `MAN-01` to `MAN-06`, `MAN-09`, with what was found.
pub fn parse_manifest(bytes: &[u8], declared: Option<&str>) -> Result<(Manifest, String), ReadError> {
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        let what = format!("a manifest of {} bytes; the limit is {MANIFEST_BYTES_MAX}", bytes.len());
        return Err(ReadError::refused("MAN-01", 0, what));
    }
    let document = object(json::parse(bytes)?, "the manifest")?;
    json::plain_keys("MAN-02", &document, &OF_MANIFEST)?;
    if document.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err(ReadError::refused("MAN-02", 0, "schemaVersion is not 2"));
    }
    let inside = document.get("mediaType").and_then(Value::as_str);
    if let (Some(inside), Some(declared)) = (inside, declared)
        && inside != declared
    {
        return Err(ReadError::refused("MAN-03", 0, format!("mediaType {inside:?} served as {declared:?}")));
    }
    let image = document.contains_key("layers") || document.contains_key("config");
    let index = document.contains_key("manifests");
    if image == index {
        return Err(ReadError::refused("MAN-04", 0, "neither an image nor an index, or both at once"));
    }
    let guessed = if image { OCI_MANIFEST } else { OCI_INDEX };
    let media_type = inside.or(declared).unwrap_or(guessed);
    let is_image_type = [OCI_MANIFEST, DOCKER_MANIFEST].contains(&media_type);
    if !MANIFEST_TYPES.contains(&media_type) || is_image_type != image {
        return Err(ReadError::refused("MAN-03", 0, format!("the media type {media_type:?}")));
    }
    let manifest = if image {
        let config = document.get("config").cloned().unwrap_or(Value::Null);
        let layers = list(&document, "layers", LAYERS_MAX)?;
        Manifest::Image {
            config: descriptor(&config, "config")?,
            layers: layers
                .iter()
                .enumerate()
                .map(|(at, layer)| descriptor(layer, &format!("layers/{at}")))
                .collect::<Result<_, _>>()?,
        }
    } else {
        let entries = list(&document, "manifests", INDEX_ENTRIES_MAX)?;
        let entries = entries.iter().enumerate();
        Manifest::Index(
            entries
                .map(|(at, entry)| descriptor(entry, &format!("manifests/{at}")))
                .collect::<Result<_, _>>()?,
        )
    };
    Ok((manifest, media_type.to_owned()))
}

/// Fields of manifests, descriptors and platforms (image-spec 1.1.1).
const OF_MANIFEST: [&str; 8] =
    ["schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"];
const OF_DESCRIPTOR: [&str; 8] =
    ["mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"];
const OF_PLATFORM: [&str; 5] = ["architecture", "os", "os.version", "os.features", "variant"];

fn object(value: Value, what: &str) -> Result<Map<String, Value>, ReadError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(ReadError::refused("MAN-02", 0, format!("{what} is not an object"))),
    }
}

fn list<'a>(map: &'a Map<String, Value>, key: &str, max: usize) -> Result<&'a [Value], ReadError> {
    let Some(Value::Array(list)) = map.get(key) else {
        return Err(ReadError::refused("MAN-05", 0, format!("{key} is not a list")));
    };
    if list.len() > max {
        return Err(ReadError::refused("MAN-06", 0, format!("{} {key}; the limit is {max}", list.len())));
    }
    Ok(list)
}

fn descriptor(value: &Value, path: &str) -> Result<Descriptor, ReadError> {
    let refuse = |what: &str| ReadError::refused("MAN-05", 0, format!("{path}: {what}"));
    let Value::Object(map) = value else { return Err(refuse("not a descriptor")) };
    json::plain_keys("MAN-05", map, &OF_DESCRIPTOR)?;
    let media_type = map.get("mediaType").and_then(Value::as_str).ok_or_else(|| refuse("no mediaType"))?;
    let digest = map.get("digest").and_then(Value::as_str).unwrap_or("");
    let digest =
        Digest::parse(digest).ok_or_else(|| refuse(&format!("the digest {digest:?} is not sha256")))?;
    let size = map.get("size").and_then(Value::as_u64).ok_or_else(|| refuse("size is not a whole number"))?;
    let no_urls = |urls: &Value| urls.is_null() || urls.as_array().is_some_and(Vec::is_empty);
    if !map.get("urls").is_none_or(no_urls) {
        return Err(ReadError::refused("MAN-07", 0, format!("{path}: content at foreign URLs")));
    }
    if map.contains_key("data") {
        return Err(ReadError::refused("MAN-09", 0, format!("{path}: embedded data beside a digest")));
    }
    let word = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let platform = map.get("platform").and_then(Value::as_object);
    platform.map_or(Ok(()), |platform| json::plain_keys("MAN-05", platform, &OF_PLATFORM))?;
    let platform = platform.map(|platform| {
        let os = word(platform, "os").unwrap_or_default();
        let architecture = word(platform, "architecture").unwrap_or_default();
        match word(platform, "variant") {
            Some(variant) => format!("{os}/{architecture}/{variant}"),
            None => format!("{os}/{architecture}"),
        }
    });
    let annotations = map.get("annotations").and_then(Value::as_object).map(|map| {
        map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    });
    Ok(Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform,
        annotations: annotations.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        match parse_manifest(text.as_bytes(), None) {
            Ok((manifest, _)) => format!("{manifest:?}").chars().take(5).collect(),
            Err(ReadError::Refused { code, .. }) => code.to_owned(),
            Err(other) => other.to_string(),
        }
    }

    fn blob(size: &str) -> String {
        format!(r#"{{"mediaType": "x", "digest": "sha256:{}", "size": {size}}}"#, "0a".repeat(32))
    }

    #[test]
    fn malformed_manifests_are_refused_each_with_its_code() {
        let good = blob("5");
        let image = |config: &str, layers: &str| {
            format!(r#"{{"schemaVersion": 2, "config": {config}, "layers": {layers}}}"#)
        };
        assert_eq!(code(&image(&good, &format!("[{good}]"))), "Image");
        assert_eq!(code(r#"{"schemaVersion": 2, "manifests": []}"#), "Index");
        assert_eq!(code(r#"{"schemaVersion": 1, "layers": []}"#), "MAN-02");
        assert_eq!(code(r#"{"schemaVersion": 2, "layers": [], "manifests": []}"#), "MAN-04");
        assert_eq!(code(r#"{"schemaVersion": 2, "mediaType": "a/b", "manifests": []}"#), "MAN-03");
        assert_eq!(code(&image("5", "[]")), "MAN-05");
        for size in ["-5", "1.5", "\"5\"", "9223372036854775808000"] {
            assert_eq!(code(&image(&blob(size), "[]")), "MAN-05", "{size}");
        }
        assert_eq!(code(&image(&good, &format!("[{}]", vec![good.clone(); 128].join(",")))), "MAN-06");
        let foreign = good.replace("}", r#", "urls": ["http://169.254.169.254/"]}"#);
        assert_eq!(code(&image(&good, &format!("[{foreign}]"))), "MAN-07");
        let foreign = good.replace("}", r#", "urls": "http://169.254.169.254/"}"#);
        assert_eq!(code(&image(&good, &format!("[{foreign}]"))), "MAN-07");
        for other in [
            r#", "Urls": ["http://169.254.169.254/"]}"#,
            r#", "DATA": "e30="}"#,
            r#", "platform": {"OS": "x"}}"#,
        ] {
            assert_eq!(code(&image(&good.replace("}", other), "[]")), "MAN-05", "{other}");
        }
        assert_eq!(code(r#"{"schemaVersion": 2, "manifests": [], "mediatype": "a/b"}"#), "MAN-02");
        let data = good.replace("}", r#", "data": "e30="}"#);
        assert_eq!(code(&image(&data, "[]")), "MAN-09");
        assert_eq!(code(&" ".repeat(5 << 20)), "MAN-01");
        assert_eq!(code(r#"{"schemaVersion": 2, "layers": [], "Layers": []}"#), "JSON-01");
    }
}
