//! How a body is packed for the caller at hand: what `Accept-Encoding` says (RFC 9110, 12.5.3). It packs nothing itself.

use http::{HeaderMap, header};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Gzip,
    Plain,
}

impl Coding {
    /// The best that the caller takes. A wildcard is not counted as a wish: plain is right for whoever names nothing.
    pub(crate) fn chosen(request: &HeaderMap) -> Self {
        let offers = || {
            let lines = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
            lines.flat_map(|line| line.split(','))
        };
        let takes = |coding: &Self| {
            offers().find_map(|offer| weight(offer, coding.name()?)).is_some_and(|weight| weight > 0.0)
        };
        [Self::Brotli, Self::Gzip].into_iter().find(takes).unwrap_or(Self::Plain)
    }

    /// What `Content-Encoding` says; nothing for a body as it is.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Plain => None,
        }
    }
}

/// How much an offer such as `br;q=0.5` wants this coding; none where it is about another. 0 refuses it, and so does a
/// weight that is no number.
fn weight(offer: &str, coding: &str) -> Option<f32> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(coding) {
        return None;
    }
    let given = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
    });
    Some(given.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_the_caller_takes_is_chosen_and_what_it_refuses_never_is() {
        for (said, chosen) in [
            ("gzip, deflate, br", Coding::Brotli),
            ("br;q=0, gzip", Coding::Gzip),
            ("br; q=0.000, gzip;q=0.5", Coding::Gzip),
            ("BR;Q=0,GZIP", Coding::Gzip),
            ("br;q=0, gzip;q=0", Coding::Plain),
            ("br;q=none", Coding::Plain),
            ("br;q=NaN", Coding::Plain),
            ("brotli, x-gzip, *", Coding::Plain),
            ("", Coding::Plain),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, said.parse().unwrap())]);
            assert_eq!(Coding::chosen(&headers), chosen, "{said:?}");
        }
        assert_eq!(Coding::chosen(&HeaderMap::new()), Coding::Plain);
    }
}
