//! What a volume is, by the signatures that formats leave at fixed places.

use super::bytes::{byte, le16, le32};
use super::squash;
use crate::ReadError;
use mercat_disk::ReadAt;

/// What a signature stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A file system that is read here.
    Readable(&'static str),
    /// Swap space.
    Swap,
    /// A physical volume of LVM2.
    Lvm,
    /// Something that is known by name only.
    Unreadable(&'static str),
}

/// Signatures that cannot be read, as offset, bytes and name.
const UNREADABLE: &[(u64, &[u8], &str)] = &[
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0x4000, b"SKUL\xba\xbe", "LUKS"),
    (3, b"-FVE-FS-", "BitLocker"),
    (3, b"EXFAT   ", "exFAT"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0, b"sqsh", "squashfs of another byte order"),
    (0, b"\x28\xcd\x3d\x45", "cramfs"),
    (0, b"\x45\x3d\xcd\x28", "cramfs"),
    (0, b"-rom1fs-", "romfs"),
    (0, b"bluestore block device", "Ceph BlueStore"),
    (0, b"vgda", "Veritas VM"),
    (0, b"integrity", "dm-integrity"),
    (0, b"verity\0\0", "dm-verity"),
    (0, b"dmvdo001", "VDO"),
    (0, b"SnAp", "LVM snapshot"),
    (32, b"NXSB", "APFS"),
    (512, b"!Stra0tis\x86\xff\x02^\x41rh", "Stratis"),
    (0x400, b"\x10\x20\xf5\xf2", "f2fs"),
    (0x400, b"\xe2\xe1\xf5\xe0", "erofs"),
    (0x400, b"H+\0\x04", "HFS+"),
    (0x400, b"HX\0\x05", "HFS+"),
    (0x400, b"BD", "HFS"),
    (0x400, b"\x02\0\0\0\0\0\x34\x34", "nilfs2"),
    (0x1000, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
    (0, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
    (0x1018, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", "bcachefs"),
    (0x1018, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", "bcache"),
    (0x400, b"OCFSV2", "ocfs2"),
    (0x800, b"OCFSV2", "ocfs2"),
    (0x1000, b"OCFSV2", "ocfs2"),
    (0x2000, b"OCFSV2", "ocfs2"),
    (0x2034, b"ReIsEr", "reiserfs"),
    (0x10034, b"ReIsEr", "reiserfs"),
    (0x10000, b"ReIsEr4", "reiser4"),
    (0x8000, b"JFS1", "jfs"),
    (0x10000, b"\x01\x16\x19\x70", "gfs2"),
    (0x255c, b"\x19\x01\x54\x19", "ufs"),
    (0x1055c, b"\x19\x01\x54\x19", "ufs"),
    (0x10040, b"_BHRfS_M", "btrfs"),
    (0x100_000, b"\x0d\xd0\x01\xc0", "VMFS member"),
    (0x1_300_000, b"\x0d\xd0\x01\xc0", "VMFS member"),
];
/// Pages of swap space whose last bytes hold its signature.
const SWAP_PAGES: [u64; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// What stands there instead while the memory of a suspended machine is in the swap space.
const HIBERNATED: [&[u8]; 5] =
    [b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001", b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c"];
const MD_MAGIC: u32 = 0xa92b_4efc;
/// Uberblocks of ZFS labels: where they begin and end, and their magic.
const ZFS: (u64, u64, u64) = (128 << 10, 256 << 10, 0x00ba_b10c);
/// Volume descriptors of optical discs.
const DISC: u64 = 32 << 10;

struct Probe<'a> {
    volume: &'a dyn ReadAt,
    front: Vec<u8>,
    found: Vec<(u64, Sign)>,
}

/// Every signature on a volume with its offset, in rising order.
pub(crate) fn find(volume: &dyn ReadAt) -> Result<Vec<(u64, Sign)>, ReadError> {
    let length = volume.size().min(ZFS.1);
    let mut front = vec![0; usize::try_from(length).unwrap_or(0)];
    volume.read_at(0, &mut front)?;
    let mut probe = Probe { volume, front, found: Vec::new() };
    for (at, magic, name) in UNREADABLE {
        if probe.has(*at, magic)? {
            probe.found.push((*at, Sign::Unreadable(name)));
        }
    }
    probe.readable();
    probe.swap();
    probe.lvm();
    probe.disc();
    probe.raid()?;
    probe.zfs();
    probe.found.sort_unstable_by_key(|(at, _)| *at);
    Ok(probe.found)
}

impl Probe<'_> {
    fn has(&self, at: u64, magic: &[u8]) -> Result<bool, ReadError> {
        let end = at + magic.len() as u64;
        if end > self.volume.size() {
            return Ok(false);
        }
        if end <= self.front.len() as u64 {
            return Ok(self.front_at(at).starts_with(magic));
        }
        let mut bytes = vec![0; magic.len()];
        self.volume.read_at(at, &mut bytes)?;
        Ok(bytes == magic)
    }

    fn front_at(&self, at: u64) -> &[u8] {
        usize::try_from(at).ok().and_then(|at| self.front.get(at..)).unwrap_or(&[])
    }

    fn readable(&mut self) {
        let front = &self.front;
        if front.starts_with(b"XFSB") {
            self.found.push((0, Sign::Readable("xfs")));
        }
        if self.front_at(3).starts_with(b"NTFS    ") {
            self.found.push((0, Sign::Readable("ntfs")));
        } else if let Some(kind) = fat(&self.front) {
            self.found.push((0, Sign::Readable(kind)));
        }
        if front.starts_with(b"hsqs") {
            let sign = squash::readable(front).map(|()| Sign::Readable("squashfs"));
            self.found.push((0, sign.unwrap_or_else(Sign::Unreadable)));
        }
        let ext = self.front_at(1024);
        if le16(ext, 0x38) == 0xef53 {
            let external_journal = le32(ext, 0x60) & 0x8 != 0;
            let features = le32(ext, 0x5c) & 0x4 != 0;
            self.found.push((
                1024,
                match (external_journal, le32(ext, 0x60) & 0x2c0 != 0, features) {
                    (true, _, _) => Sign::Unreadable("ext4 external journal"),
                    (_, true, _) => Sign::Readable("ext4"),
                    (_, _, true) => Sign::Readable("ext3"),
                    _ => Sign::Readable("ext2"),
                },
            ));
        }
    }

    fn swap(&mut self) {
        for page in SWAP_PAGES {
            let tail = self.front_at(page - 10);
            let sign = if tail.starts_with(b"SWAPSPACE2") || tail.starts_with(b"SWAP-SPACE") {
                Sign::Swap
            } else if HIBERNATED.iter().any(|magic| tail.starts_with(magic)) {
                Sign::Unreadable("hibernated memory")
            } else {
                continue;
            };
            self.found.push((page - 10, sign));
        }
    }

    /// A label lies in one of the first four sectors.
    fn lvm(&mut self) {
        for sector in 0..4 {
            let label = self.front_at(sector * 512);
            if label.starts_with(b"LABELONE") && label.get(24..32) == Some(b"LVM2 001") {
                self.found.push((sector * 512, Sign::Lvm));
            }
        }
        if self.front_at(0).starts_with(b"HM") && le16(&self.front, 2) == 1 {
            self.found.push((0, Sign::Unreadable("LVM1 member")));
        }
    }

    /// ISO 9660 and UDF write descriptors of 2048 bytes from 32 KiB on.
    fn disc(&mut self) {
        let (mut iso, mut udf) = (false, false);
        for sector in 0..64 {
            let descriptor = self.front_at(DISC + 2048 * sector);
            match descriptor.get(1..6) {
                Some(b"CD001") => iso = true,
                Some(b"NSR02" | b"NSR03") => udf = true,
                Some(b"BEA01" | b"TEA01" | b"BOOT2" | b"CDW02") => {}
                _ => break,
            }
        }
        if udf {
            self.found.push((DISC, Sign::Unreadable("udf")));
        } else if iso {
            self.found.push((DISC, Sign::Readable("iso9660")));
        }
    }

    /// Software RAID keeps its older superblocks at the end.
    fn raid(&mut self) -> Result<(), ReadError> {
        let size = self.volume.size();
        let old = (size & !0xffff).checked_sub(0x10000);
        let new = (size / 512).checked_sub(16).map(|sector| (sector & !7) * 512);
        for at in [old, new].into_iter().flatten() {
            if self.has(at, &MD_MAGIC.to_le_bytes())? || self.has(at, &MD_MAGIC.to_be_bytes())? {
                self.found.push((at, Sign::Unreadable("linux_raid_member")));
            }
        }
        Ok(())
    }

    fn zfs(&mut self) {
        let magic = ZFS.2;
        for at in (ZFS.0..ZFS.1).step_by(1024) {
            let block = self.front_at(at);
            if block.starts_with(&magic.to_le_bytes()) || block.starts_with(&magic.to_be_bytes()) {
                self.found.push((at, Sign::Unreadable("zfs member")));
                return;
            }
        }
    }
}

/// Whether a first sector holds a FAT parameter block, and of which width. The width follows from the
/// number of clusters (Microsoft FAT specification 1.03, 3.5).
pub(crate) fn fat(sector: &[u8]) -> Option<&'static str> {
    let jump = (byte(sector, 0) == 0xeb && byte(sector, 2) == 0x90) || byte(sector, 0) == 0xe9;
    let (sector_bytes, cluster) = (le16(sector, 11), byte(sector, 13));
    let (reserved, copies, media) = (le16(sector, 14), byte(sector, 16), byte(sector, 21));
    let sane = jump
        && le16(sector, 510) == 0xaa55
        && (512..=4096).contains(&sector_bytes)
        && sector_bytes.is_power_of_two()
        && cluster.is_power_of_two()
        && reserved > 0
        && matches!(copies, 1 | 2)
        && (media == 0xf0 || media >= 0xf8);
    if !sane {
        return None;
    }
    let either = |short: u16, long: u32| if short == 0 { u64::from(long) } else { u64::from(short) };
    let table = either(le16(sector, 22), le32(sector, 36));
    let total = either(le16(sector, 19), le32(sector, 32));
    let root = (u64::from(le16(sector, 17)) * 32).div_ceil(u64::from(sector_bytes));
    let meta = u64::from(reserved) + u64::from(copies) * table + root;
    let clusters = total.checked_sub(meta)? / u64::from(cluster);
    Some(match clusters {
        0 => return None,
        1..4085 => "fat12",
        4085..65525 => "fat16",
        _ => "fat32",
    })
}
