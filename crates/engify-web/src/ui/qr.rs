//! A QR code, drawn as SVG by attributes alone: dark on light in every theme, because cameras read it.

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

/// The light margin that readers need, modules (ISO/IEC 18004 asks for four).
const MARGIN: i32 = 4;

/// `text` as a picture, `label` for those who do not see it; nothing for text that no code can hold.
pub fn qr(text: &str, label: &str) -> Markup {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return html! {} };
    let side = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for (x, y) in (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y))) {
        if code.get_module(x, y) {
            path.push_str(&format!("M{} {}h1v1h-1z", x + MARGIN, y + MARGIN));
        }
    }
    html! {
        svg role="img" aria-label=(label) viewBox={ "0 0 " (side) " " (side) } width="208" height="208" shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_without_styles_and_with_its_margin() {
        let svg = qr("otpauth://totp/Engify:ana", "A code").into_string();
        assert!(
            svg.starts_with("<svg role=\"img\" aria-label=\"A code\" viewBox=\"0 0 33 33\""),
            "{svg:.120}"
        );
        // The finder pattern's corner stands behind the margin.
        assert!(svg.contains("d=\"M4 4h1v1h-1zM5 4h1v1h-1z") && !svg.contains("style"), "{svg:.400}");
        assert_eq!(qr(&"x".repeat(5000), "Too long").into_string(), "");
    }
}
