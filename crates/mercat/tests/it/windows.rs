//! A clean Windows, made as the tests of the rules make it.

#[path = "../../../mercat-certify/src/disk/windows/tests/drive.rs"]
pub(crate) mod drive;
#[path = "../../../mercat-certify/src/disk/windows/tests/ntfs.rs"]
pub(crate) mod ntfs;
