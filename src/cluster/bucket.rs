//! The bucket of what is too long for one message: objects put, got and removed.

use std::io::Cursor;
use std::time::Duration;

use async_nats::jetstream::object_store::{DeleteErrorKind, GetErrorKind, ObjectStore};
use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::broker::Broker;
use super::error::Error;
use super::store::{absent, is_of_streams};
use super::subjects::{BUCKET, BUCKET_STREAM, RunId, bundle};

impl Broker {
    /// Puts what a run needs into the bucket.
    ///
    /// # Errors
    /// When the bucket is not there or full, or the server does not permit it.
    pub async fn put(&self, run: &RunId, bytes: Bytes, limit: Duration) -> Result<(), Error> {
        const WHAT: &str = "put what a run needs into the bucket";
        let name = bundle(run);
        let call = async {
            let bucket = self.bucket(WHAT, limit).await?;
            let put = bucket.put(name.as_str(), &mut Cursor::new(bytes)).await;
            put.map_err(|error| Error::broker(WHAT, &error))?;
            Ok(())
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }

    /// Gets what a run needs from the bucket; `None` if it is not there.
    ///
    /// # Errors
    /// When it has more bytes than `most`, the bucket is not there, or the server does not permit it.
    pub async fn get(
        &self,
        run: &RunId,
        most: usize,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, Error> {
        const WHAT: &str = "get what a run needs from the bucket";
        let name = bundle(run);
        let call = async {
            let bucket = self.bucket(WHAT, limit).await?;
            let mut found = match bucket.get(name.as_str()).await {
                Ok(found) => found,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(Error::broker(WHAT, &error)),
            };
            let bytes = found.info().size;
            if bytes > most {
                return Err(Error::TooLong {
                    what: WHAT,
                    bytes,
                    limit: most,
                });
            }
            let mut all = Vec::with_capacity(bytes);
            let read = found.read_to_end(&mut all).await;
            read.map_err(|error| Error::broker(WHAT, &error))?;
            Ok(Some(all))
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }

    /// Removes what a run needs from the bucket; nothing if it is not there.
    ///
    /// # Errors
    /// When the bucket is not there, or the server does not permit it.
    pub async fn remove(&self, run: &RunId, limit: Duration) -> Result<(), Error> {
        const WHAT: &str = "remove what a run needs from the bucket";
        let name = bundle(run);
        let call = async {
            let bucket = self.bucket(WHAT, limit).await?;
            match bucket.delete(name.as_str()).await {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == DeleteErrorKind::NotFound => Ok(()),
                Err(error) => Err(Error::broker(WHAT, &error)),
            }
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }

    async fn bucket(&self, what: &'static str, limit: Duration) -> Result<ObjectStore, Error> {
        // The bucket's own error does not say whether it is missing.
        let stream = self.jetstream.get_stream(BUCKET_STREAM).await;
        stream.map_err(|error| absent(what, "bucket", limit, &error))?;
        let bucket = self.jetstream.get_object_store(BUCKET).await;
        bucket.map_err(|error| Error::broker(what, &error))
    }
}
