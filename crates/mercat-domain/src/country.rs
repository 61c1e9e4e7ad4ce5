//! Countries by their ISO 3166-1 alpha-2 code.

/// The 249 codes that are assigned, in order and without anything between them.
const CODES: &str = "\
ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCR\
CUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHU\
IDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQ\
MRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSI\
SJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// Whether a text is the code of a country, in capitals.
pub fn is_country(code: &str) -> bool {
    CODES.as_bytes().chunks_exact(2).any(|known| known == code.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_nothing_between_two_codes_is_one() {
        let codes: Vec<&[u8]> = CODES.as_bytes().chunks_exact(2).collect();
        assert_eq!((codes.len(), CODES.len()), (249, 498));
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert!(["JP", "US", "GB", "ZW", "AD"].into_iter().all(is_country));
        for none in ["", "J", "jp", "ZZ", "DA", "XK", "UK", "JPN", "ADAE", "日"] {
            assert!(!is_country(none), "{none}");
        }
    }
}
