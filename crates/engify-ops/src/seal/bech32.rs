//! Bech32 (BIP 173), as age writes its keys; encoding only, and without a limit of length.

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The text of `data` behind a prefix, in small letters.
pub(super) fn encode(prefix: &str, data: &[u8]) -> String {
    let prefix = prefix.to_ascii_lowercase();
    let mut values = in_fives(data);
    let expanded =
        prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    let sum = checksum(expanded.chain(values.iter().copied()).chain([0; 6])) ^ 1;
    values.extend((0..6).map(|place| u8::try_from(sum >> (25 - 5 * place) & 31).unwrap_or(0)));
    let letters = values.iter().map(|value| char::from(ALPHABET[usize::from(*value)]));
    prefix.chars().chain(['1']).chain(letters).collect()
}

/// Bytes as groups of five bits, the last one filled with zeros.
fn in_fives(data: &[u8]) -> Vec<u8> {
    let (mut held, mut bits, mut fives) = (0_u32, 0, Vec::with_capacity(data.len() * 8 / 5 + 7));
    for byte in data {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            fives.push(u8::try_from(held >> bits & 31).unwrap_or(0));
        }
    }
    if bits > 0 {
        fives.push(u8::try_from(held << (5 - bits) & 31).unwrap_or(0));
    }
    fives
}

fn checksum(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| top >> bit & 1 == 1)
            .fold(sum, |sum, (_, part)| sum ^ part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_specification() {
        // BIP 173, test vectors.
        assert_eq!(encode("a", &[]), "a12uel5l");
        let every_letter = hex::decode("00443214c74254b635cf84653a56d7c675be77df").unwrap();
        assert_eq!(encode("abcdef", &every_letter), "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
    }
}
