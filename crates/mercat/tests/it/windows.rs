//! A clean Windows, made as the tests of the rules make it.

#[path = "../../../mercat-machine/src/windows/tests/drive.rs"]
pub(crate) mod drive;
#[path = "../../../mercat-certify/src/disk/tests/ntfs.rs"]
pub(crate) mod ntfs;
