//! Writes small hives for tests.

use std::collections::BTreeMap;

/// A key to write: values by name as (type, bytes), and subkeys by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) values: BTreeMap<String, (u32, Vec<u8>)>,
    pub(crate) keys: BTreeMap<String, Node>,
}

impl Node {
    /// The key of a path, made when it is not there.
    pub(crate) fn at(&mut self, path: &str) -> &mut Self {
        path.split('\\').fold(self, |node, part| node.keys.entry(part.to_owned()).or_default())
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let bytes = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        self.values.insert(name.to_owned(), (1, bytes));
        self
    }

    pub(crate) fn number(&mut self, name: &str, number: u32) -> &mut Self {
        self.values.insert(name.to_owned(), (4, number.to_le_bytes().into()));
        self
    }

    /// The hive with this key at its root.
    pub(crate) fn hive(&self) -> Vec<u8> {
        let mut cells = vec![0; 32];
        let root = key(&mut cells, "ROOT", self);
        let size = cells.len().next_multiple_of(4096);
        let free = size - cells.len();
        cells.resize(size, 0);
        if free >= 8 {
            cells[size - free..size - free + 4]
                .copy_from_slice(&u32::try_from(free).unwrap_or(0).to_le_bytes());
        }
        let size = u32::try_from(size).unwrap_or(0);
        cells[..4].copy_from_slice(b"hbin");
        cells[8..12].copy_from_slice(&size.to_le_bytes());
        let mut out = vec![0; 4096];
        out[..4].copy_from_slice(b"regf");
        for (at, number) in [(4, 7), (8, 7), (20, 1), (24, 5), (32, 1), (36, root), (40, size), (44, 1)] {
            out[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        sign(&mut out);
        out.extend(cells);
        out
    }
}

/// Writes the checksum of the base block.
pub(crate) fn sign(hive: &mut [u8]) {
    let word = |at: usize| u32::from_le_bytes([hive[at], hive[at + 1], hive[at + 2], hive[at + 3]]);
    let sum = (0..508).step_by(4).fold(0, |sum, at| sum ^ word(at));
    hive[508..512].copy_from_slice(&sum.to_le_bytes());
}

fn cell(out: &mut Vec<u8>, content: &[u8]) -> u32 {
    let at = u32::try_from(out.len()).unwrap_or(0);
    let size = (content.len() + 4).next_multiple_of(8);
    out.extend((-i32::try_from(size).unwrap_or(0)).to_le_bytes());
    out.extend(content);
    out.resize(at as usize + size, 0);
    at
}

fn offsets(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|offset| offset.to_le_bytes()).collect()
}

fn value(out: &mut Vec<u8>, name: &str, kind: u32, data: &[u8]) -> u32 {
    let length = u32::try_from(data.len()).unwrap_or(0);
    let (length, at) = match data.len() {
        0..=4 => {
            let mut inline = [0; 4];
            inline[..data.len()].copy_from_slice(data);
            (length | 0x8000_0000, u32::from_le_bytes(inline))
        }
        5..=16344 => (length, cell(out, data)),
        _ => {
            let segments: Vec<u32> = data.chunks(16344).map(|segment| cell(out, segment)).collect();
            let list = cell(out, &offsets(&segments));
            let mut record = b"db".to_vec();
            record.extend(u16::try_from(segments.len()).unwrap_or(0).to_le_bytes());
            record.extend(list.to_le_bytes());
            (length, cell(out, &record))
        }
    };
    let mut record = b"vk".to_vec();
    record.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    [length, at, kind, 1].into_iter().for_each(|number| record.extend(number.to_le_bytes()));
    record.extend(name.as_bytes());
    cell(out, &record)
}

fn key(out: &mut Vec<u8>, name: &str, node: &Node) -> u32 {
    let keys: Vec<u32> = node.keys.iter().map(|(name, node)| key(out, name, node)).collect();
    let values: Vec<u32> =
        node.values.iter().map(|(name, (kind, data))| value(out, name, *kind, data)).collect();
    let mut record = vec![0; 76];
    record[..2].copy_from_slice(b"nk");
    record[2] = 0x20;
    record[72..74].copy_from_slice(&u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
    let mut put = |at: usize, number: u32| record[at..at + 4].copy_from_slice(&number.to_le_bytes());
    if !keys.is_empty() {
        let mut list = b"lh".to_vec();
        list.extend(u16::try_from(keys.len()).unwrap_or(0).to_le_bytes());
        keys.iter().for_each(|at| list.extend([at.to_le_bytes(), [0; 4]].concat()));
        put(20, u32::try_from(keys.len()).unwrap_or(0));
        put(28, cell(out, &list));
    }
    if !values.is_empty() {
        put(36, u32::try_from(values.len()).unwrap_or(0));
        put(40, cell(out, &offsets(&values)));
    }
    record.extend(name.as_bytes());
    cell(out, &record)
}
