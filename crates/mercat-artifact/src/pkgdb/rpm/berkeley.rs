//! Berkeley DB hash tables, as far as rpm wrote them (`dbinc/db_page.h` of Berkeley DB 4 and 5).

use super::{Refusal, Seen, Take, broken, index, part};

const MAGIC: u32 = 0x0006_1561;
const HASH_META: u8 = 8;
const HASH_UNSORTED: u8 = 2;
const HASH: u8 = 13;
const OVERFLOW: u8 = 7;
const PAGE_HEADER_BYTES: usize = 26;
const ON_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;
/// Values that are shorter are counters, not headers of packages.
const HEADER_BYTES_MIN: usize = 24;
const VALUE_BYTES_MAX: usize = 64 << 20;

pub(super) fn is(bytes: &[u8]) -> bool {
    order(bytes).is_some()
}

/// Numbers are in the order of the machine that wrote them.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u32(self, bytes: &[u8], at: usize) -> Result<u32, Refusal> {
        let word = super::word(bytes, at)?;
        Ok(match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        })
    }

    fn u16(self, bytes: &[u8], at: usize) -> Result<usize, Refusal> {
        let two = part(bytes, at, 2)?;
        Ok(usize::from(match self {
            Self::Little => u16::from_le_bytes([two[0], two[1]]),
            Self::Big => u16::from_be_bytes([two[0], two[1]]),
        }))
    }
}

fn order(bytes: &[u8]) -> Option<Order> {
    let is = |order: Order| order.u32(bytes, 12) == Ok(MAGIC);
    [Order::Little, Order::Big].into_iter().find(|order| is(*order))
}

struct Table<'b> {
    bytes: &'b [u8],
    order: Order,
    page_bytes: usize,
    seen: Seen,
}

/// Shows the value of every entry that can be a package.
pub(super) fn each(bytes: &[u8], take: Take<'_>) -> Result<(), Refusal> {
    let Some(order) = order(bytes) else { return Err(broken("no Berkeley DB")) };
    let page_bytes = index(order.u32(bytes, 20)?);
    if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        return Err(broken(format!("a Berkeley DB with pages of {page_bytes} bytes")));
    }
    let flags = part(bytes, 24, 3)?;
    if flags[0] != 0 || flags[1] != HASH_META || flags[2] & 1 != 0 {
        let what = "a Berkeley DB that is encrypted, has checksums, or is no hash table";
        return Err(Refusal::Unreadable(what.to_owned()));
    }
    let last = index(order.u32(bytes, 32)?);
    if last >= bytes.len().div_ceil(page_bytes) {
        return Err(broken(format!("a Berkeley DB that ends before its page {last}")));
    }
    let mut table = Table { bytes, order, page_bytes, seen: Seen::new(last + 1) };
    for page in 1..=last {
        table.page(page, take)?;
    }
    Ok(())
}

impl<'b> Table<'b> {
    fn bytes_of(&self, page: usize) -> Result<&'b [u8], Refusal> {
        let at = page.checked_mul(self.page_bytes).ok_or_else(|| broken("a page behind the end"))?;
        part(self.bytes, at, self.page_bytes)
    }

    fn page(&mut self, number: usize, take: Take<'_>) -> Result<(), Refusal> {
        let page = self.bytes_of(number)?;
        let kind = part(page, 25, 1)?[0];
        if kind != HASH && kind != HASH_UNSORTED {
            return Ok(());
        }
        self.seen.visit(number)?;
        let entries = self.order.u16(page, 20)?;
        let mut end = self.page_bytes;
        for entry in 0..entries {
            let at = self.order.u16(page, PAGE_HEADER_BYTES + 2 * entry)?;
            if at >= end || at < PAGE_HEADER_BYTES + 2 * entries {
                return Err(broken(format!("entry {entry} of page {number} is out of order")));
            }
            let item = &page[at..end];
            end = at;
            // Keys and values take turns.
            if entry % 2 == 0 {
                continue;
            }
            match item.first() {
                Some(&ON_PAGE) if item.len() > HEADER_BYTES_MIN => take(&item[1..])?,
                Some(&OFF_PAGE) => {
                    let first = index(self.order.u32(item, 4)?);
                    let size = index(self.order.u32(item, 8)?);
                    take(&self.chain(first, size)?)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn chain(&mut self, first: usize, size: usize) -> Result<Vec<u8>, Refusal> {
        if size > VALUE_BYTES_MAX {
            return Err(broken(format!("a package header of {size} bytes")));
        }
        let mut value = Vec::new();
        let mut number = first;
        while number != 0 {
            self.seen.visit(number)?;
            let page = self.bytes_of(number)?;
            if part(page, 25, 1)?[0] != OVERFLOW {
                return Err(broken(format!("page {number} is no overflow page")));
            }
            value.extend_from_slice(part(page, PAGE_HEADER_BYTES, self.order.u16(page, 22)?)?);
            number = index(self.order.u32(page, 16)?);
        }
        if value.len() != size {
            return Err(broken(format!("a value of {} bytes that should have {size}", value.len())));
        }
        Ok(value)
    }
}
