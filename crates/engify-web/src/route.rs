//! A route: method, path, policy, handler, and what the API's documentation says of it.

use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use engify_core::permission::Permission;
use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::policy::{Access, Policy};
use crate::web::Web;

/// Makes a type's schema in a document's generator.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, as axum writes it.
    pub path: &'static str,
    /// What it demands.
    pub policy: Policy,
    /// Whether it answers with pages: strangers are then sent to sign in instead of being told 401.
    pub is_page: bool,
    pub(crate) docs: Docs,
    pub(crate) handler: MethodRouter<Web>,
}

/// What the documentation says.
#[derive(Clone, Default)]
pub(crate) struct Docs {
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Option<SchemaOf>,
    pub(crate) body: Option<SchemaOf>,
    pub(crate) replies: Vec<(StatusCode, &'static str, Option<SchemaOf>)>,
    pub(crate) refuses: Vec<StatusCode>,
    pub(crate) streams: bool,
    pub(crate) hidden: bool,
}

impl Route {
    fn new<T: 'static>(
        method: Method,
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Web>,
    ) -> Self {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { method, path, policy, is_page: false, docs: Docs::default(), handler: on(filter, handler) }
    }

    pub(crate) fn get<T: 'static>(path: &'static str, policy: Policy, handler: impl Handler<T, Web>) -> Self {
        Self::new(Method::GET, path, policy, handler)
    }

    pub(crate) fn post<T: 'static>(
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Web>,
    ) -> Self {
        Self::new(Method::POST, path, policy, handler)
    }

    pub(crate) fn patch<T: 'static>(
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Web>,
    ) -> Self {
        Self::new(Method::PATCH, path, policy, handler)
    }

    pub(crate) fn delete<T: 'static>(
        path: &'static str,
        policy: Policy,
        handler: impl Handler<T, Web>,
    ) -> Self {
        Self::new(Method::DELETE, path, policy, handler)
    }

    pub(crate) fn put<T: 'static>(path: &'static str, policy: Policy, handler: impl Handler<T, Web>) -> Self {
        Self::new(Method::PUT, path, policy, handler)
    }

    /// A page or a form's target: not part of the API's documentation.
    #[must_use]
    pub(crate) fn page(mut self) -> Self {
        self.is_page = true;
        self.docs.hidden = true;
        self
    }

    /// Answers browsers, who come here from elsewhere: its failures are pages, and it is documented all the same.
    #[must_use]
    pub(crate) fn browser(mut self) -> Self {
        self.is_page = true;
        self
    }

    /// Names the route in the documentation.
    #[must_use]
    pub(crate) fn named(mut self, tag: &'static str, summary: &'static str) -> Self {
        self.docs.tag = tag;
        self.docs.summary = summary;
        self
    }

    /// Documents the query.
    #[must_use]
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.docs.query = Some(T::json_schema);
        self
    }

    /// Documents the body.
    #[must_use]
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.docs.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Documents a success.
    #[must_use]
    pub(crate) fn gives<T: JsonSchema>(mut self, status: StatusCode, what: &'static str) -> Self {
        self.docs.replies.push((status, what, Some(SchemaGenerator::subschema_for::<T>)));
        self
    }

    /// Documents a success without a JSON body.
    #[must_use]
    pub(crate) fn gives_nothing(mut self, status: StatusCode, what: &'static str) -> Self {
        self.docs.replies.push((status, what, None));
        self
    }

    /// Documents failures beyond those that follow from the policy.
    #[must_use]
    pub(crate) fn refuses(mut self, statuses: &[StatusCode]) -> Self {
        self.docs.refuses.extend_from_slice(statuses);
        self
    }

    /// Also answers as server-sent events.
    #[must_use]
    pub(crate) fn streams(mut self) -> Self {
        self.docs.streams = true;
        self
    }

    /// Every status that this route may answer with when it fails: what follows from its policy, its path, its body,
    /// and what it declares.
    pub(crate) fn failures(&self) -> Vec<StatusCode> {
        let mut statuses = vec![
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        // Whoever comes with a key may be refused anywhere: one that is not valid, one that may not come from there, one
        // that is used up.
        statuses.extend([StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS]);
        if self.path.contains('{') {
            statuses.extend([StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST]);
        }
        if self.docs.query.is_some() {
            statuses.push(StatusCode::BAD_REQUEST);
        }
        if self.method != Method::GET {
            statuses.extend([StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE]);
        }
        if self.docs.body.is_some() {
            statuses.push(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        statuses.extend_from_slice(&self.docs.refuses);
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The permission it demands, if it demands one.
    pub fn permission(&self) -> Option<Permission> {
        match self.policy.access {
            Access::Needs(permission) => Some(permission),
            _ => None,
        }
    }
}

/// The body of a request as bytes, for handlers that read it themselves.
pub(crate) async fn bytes(request: Request, most: usize) -> engify_core::Result<bytes::Bytes> {
    use http_body_util::{BodyExt, LengthLimitError, Limited};
    match Limited::new(request.into_body(), most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(fault) if fault.downcast_ref::<LengthLimitError>().is_some() => Err(too_large(most)),
        Err(_) => Err(engify_core::Error::invalid(
            "The request's body ended before it was complete; send it again.",
        )),
    }
}

/// A body over the bound.
pub(crate) fn too_large(most: usize) -> engify_core::Error {
    let message = format!("The request's body is larger than {most} bytes; send less.");
    engify_core::Error::new(engify_core::Kind::TooLarge, "too_large", message)
}
