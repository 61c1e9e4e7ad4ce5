//! How bad a record says it is: CVSS vectors of versions 2, 3 and 4, scores, and levels by name.

use serde_json::Value;

/// Levels from low to critical.
pub const LEVELS: [&str; 4] = ["low", "medium", "high", "critical"];

/// The level of the first list that has one, else of the first place that names one; and the vectors of
/// all lists.
pub(crate) fn read(lists: [&[Value]; 2], named: [Option<&Value>; 3]) -> (String, Vec<String>) {
    let texts = |list: &[Value]| -> Vec<String> {
        list.iter().filter_map(|item| item.get("score")?.as_str().map(str::to_owned)).collect()
    };
    let level = lists.iter().find_map(|list| worst(&texts(list)));
    let level = level.or_else(|| named.into_iter().flatten().find_map(by_name_of));
    let mut vectors: Vec<String> =
        lists.iter().flat_map(|list| texts(list)).filter(|t| t.contains('/')).collect();
    vectors.dedup();
    (level.unwrap_or_default().to_owned(), vectors)
}

fn worst(texts: &[String]) -> Option<&'static str> {
    let rank = |text: &String| {
        let level = score(text).map(of_score).or_else(|| by_name(text))?;
        LEVELS.iter().position(|known| *known == level)
    };
    texts.iter().filter_map(rank).max().map(|rank| LEVELS[rank])
}

/// The base score of a vector or of a number in text.
fn score(text: &str) -> Option<f64> {
    let number = || text.parse::<f64>().ok().filter(|score| (0.0..=10.0).contains(score));
    let newer = || text.parse::<cvss::Cvss>().ok().map(|cvss| cvss.score());
    version_2(text).or_else(newer).or_else(number)
}

/// The scale of CVSS 3 and 4; version 2 knows no critical, its own scale ends at high.
fn of_score(score: f64) -> &'static str {
    match score {
        score if score >= 9.0 => "critical",
        score if score >= 7.0 => "high",
        score if score >= 4.0 => "medium",
        _ => "low",
    }
}

/// The base equation of CVSS version 2 (first.org, CVSS v2 complete documentation, 3.2.1).
fn version_2(text: &str) -> Option<f64> {
    let text = text.strip_prefix("CVSS:2.0/").unwrap_or(text);
    let weight = |key: &str, weights: [(&str, f64); 3]| {
        let value = text.split('/').find_map(|part| part.strip_prefix(key)?.strip_prefix(':'))?;
        weights.iter().find(|(name, _)| *name == value).map(|(_, weight)| *weight)
    };
    let vector = weight("AV", [("L", 0.395), ("A", 0.646), ("N", 1.0)])?;
    let complexity = weight("AC", [("H", 0.35), ("M", 0.61), ("L", 0.71)])?;
    let authentication = weight("Au", [("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
    let loss = |key| weight(key, [("N", 0.0), ("P", 0.275), ("C", 0.66)]);
    let impact = 10.41 * (1.0 - (1.0 - loss("C")?) * (1.0 - loss("I")?) * (1.0 - loss("A")?));
    if impact == 0.0 {
        return Some(0.0);
    }
    let exploitability = 20.0 * vector * complexity * authentication;
    let score = (0.6 * impact + 0.4 * exploitability - 1.5) * 1.176;
    // Version 2 has no critical level: 10.0 there is "high".
    Some(((score * 10.0).round() / 10.0).min(8.9))
}

fn by_name_of(value: &Value) -> Option<&'static str> {
    by_name(value.get("severity").or_else(|| value.get("urgency"))?.as_str()?)
}

fn by_name(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "critical" => "critical",
        "high" | "important" => "high",
        "medium" | "moderate" => "medium",
        "low" | "negligible" | "unimportant" | "minor" => "low",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn vectors_of_all_versions_and_names_give_levels() {
        let level = |score: &str| read([&[json!({"type": "x", "score": score})], &[]], [None; 3]).0;
        assert_eq!(level("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "critical");
        assert_eq!(level("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"), "critical");
        assert_eq!(level("AV:N/AC:L/Au:N/C:P/I:P/A:P"), "high");
        assert_eq!(level("AV:N/AC:L/Au:N/C:C/I:C/A:C"), "high");
        assert_eq!(level("AV:L/AC:H/Au:M/C:P/I:N/A:N"), "low");
        assert_eq!(level("medium"), "medium");
        assert_eq!(level("9.8"), "critical");
        assert_eq!(level("NaN"), "");
        assert_eq!(level("CVSS:9.9/what"), "");
        let named = json!({"severity": "IMPORTANT"});
        assert_eq!(read([&[], &[]], [None, Some(&named), None]).0, "high");
    }
}
