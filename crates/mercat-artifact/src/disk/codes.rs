//! What each refusal of this module means.

/// Code and meaning of every refusal that [`super::open`], a [`super::Disk`] or
/// [`super::layout`] can give.
pub const CODES: &[(&str, &str)] = &[
    ("DSK-01", "the file has no signature of a known disk format and was not declared to be raw"),
    ("DSK-02", "the file is in another format than the one that was declared"),
    ("DSK-03", "a range behind the end of the disk was asked for"),
    ("DSK-04", "the file carries the signatures of two disk formats"),
    ("DSK-05", "the file ends inside a structure that it declares"),
    ("DSK-06", "the disk is empty, larger than 64 TiB, or not a multiple of 512 bytes"),
    ("DSK-07", "the raw disk starts or ends like a disk format, so that other programs would open it as one"),
    ("DSK-08", "the file is in a disk format that is not supported"),
    ("DSK-LUKS", "the disk is encrypted with LUKS and cannot be inspected"),
    ("VHD-01", "the last 512 bytes of the file are not a VHD footer"),
    ("VHD-05", "the file of a fixed VHD is not 512 bytes longer than its disk"),
    ("VHD-06", "the checksum of the VHD footer is wrong"),
    ("VHD-20", "the VHD is a differencing disk: part of its content is in another file"),
    ("VHD-22", "the VHD footer has a disk type other than fixed, dynamic and differencing"),
    ("VHD-23", "the VHD footer has unknown feature bits or an unknown version"),
    ("VHD-24", "the VHD footer of a fixed disk points to a dynamic disk header"),
    ("VHD-25", "the saved state of the VHD footer is neither 0 nor 1"),
    ("VMD-01", "the VMDK file is a text descriptor: the disk itself is in other files"),
    ("VMD-02", "the VMDK file is an ESX copy-on-write extent"),
];

/// Codes that say that the disk could not be looked into, not that it is malformed: a check that
/// ends with one of them is inconclusive.
pub const INCONCLUSIVE: &[&str] = &["DSK-LUKS"];
