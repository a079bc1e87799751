//! What Twilio reports of texts it took: a form, signed in `X-Twilio-Signature` with HMAC-SHA1 under the account's token
//! over the address that was called and the form's fields in alphabetical order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engify_core::{Secret, settings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::mail::webhook::Fate;

/// What a request to the webhook brings.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `X-Twilio-Signature`
    pub signature: &'a str,
    /// The address that Twilio was told to call, whole.
    pub url: &'a str,
    /// The form, byte for byte.
    pub body: &'a [u8],
}

/// What happened to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Twilio's id of it.
    pub reference: String,
    /// What happened.
    pub fate: Fate,
}

/// The event of a request whose signature is right; none where it is of no interest.
///
/// # Errors
/// Says in words for the log why the request is not one of Twilio's.
pub fn event(account: &settings::Twilio, request: Request<'_>) -> Result<Option<Event>, &'static str> {
    let fields = fields(request.body);
    let given = STANDARD.decode(request.signature).map_err(|_| "the signature is not base64")?;
    mac(&account.token, request.url, &fields)?.verify_slice(&given).map_err(|_| "the signature is wrong")?;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let Some(reference) = field("MessageSid") else { return Ok(None) };
    let fate = match field("MessageStatus") {
        Some("delivered") => Fate::Delivered,
        Some("failed" | "undelivered") => {
            let code: String =
                field("ErrorCode").unwrap_or_default().chars().filter(char::is_ascii_digit).take(6).collect();
            Fate::Bounced(if code.is_empty() {
                "it did not arrive".to_owned()
            } else {
                format!("error {code} of Twilio")
            })
        }
        _ => return Ok(None),
    };
    Ok(Some(Event { reference: reference.to_owned(), fate }))
}

/// The fields of a form in the order in which they are signed.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let fields = url::form_urlencoded::parse(body);
    let mut fields: Vec<_> = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    fields.sort();
    fields
}

/// The signature that Twilio would send with this form.
#[cfg(feature = "fuzzing")]
pub(crate) fn signed(token: &Secret<String>, url: &str, body: &[u8]) -> Option<String> {
    Some(STANDARD.encode(mac(token, url, &fields(body)).ok()?.finalize().into_bytes()))
}

fn mac(token: &Secret<String>, url: &str, fields: &[(String, String)]) -> Result<Hmac<Sha1>, &'static str> {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.reveal().as_bytes()).map_err(|_| "the token is no key")?;
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Twilio's own documentation of request validation.
    #[test]
    fn the_vendor_s_own_example_is_accepted_and_a_changed_one_is_not() {
        let account = settings::Twilio {
            account: "AC".to_owned(),
            token: Secret::new("12345".to_owned()),
            number: None,
            verify_service: None,
            callback: None,
            base_url: None,
        };
        let body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
        let request = Request {
            signature: "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            url: "https://mycompany.com/myapp.php?foo=1&bar=2",
            body,
        };
        assert_eq!(event(&account, request), Ok(None));
        let moved = Request { url: "https://example.com/other", ..request };
        assert_eq!(event(&account, moved), Err("the signature is wrong"));
    }
}
