//! Shared memory over Upstash's REST: a server that other people wrote, and our double of the vendor's, which the
//! vendor's own client is made to accept so that it is no invention of ours. (`redis_server` is behind both.)

mod redis_server_and_upstash_client;
mod redis_server_and_upstash_double;
mod redis_server_and_upstash_server;
