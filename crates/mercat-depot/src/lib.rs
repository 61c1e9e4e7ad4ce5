//! The goods: content-addressed blobs, sources and regions
