//! The rskafka driver of the client matrix: a JSON request a line in, a JSON answer a line out.
//! See tests/clients/README.md.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use serde_json::{Value, json};

/// The partitions that were asked for, each with a connection of its own.
type Partitions = HashMap<(String, i64), PartitionClient>;
type Answer = Result<Value, Box<dyn Error>>;

/// How long a consumer waits for the records that it was asked for.
const PATIENCE: Duration = Duration::from_secs(25);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let bootstrap = std::env::args().nth(1).ok_or("no address given")?;
    let client = ClientBuilder::new(vec![bootstrap]).build().await?;
    let mut partitions = Partitions::new();
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match handle(&client, &mut partitions, &request).await {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

async fn handle(client: &Client, open: &mut Partitions, request: &Value) -> Answer {
    match text(request, "op")? {
        "hello" => Ok(json!({ "version": version()? })),
        "create" => {
            let partitions = number(request, "partitions")?.try_into()?;
            client
                .controller_client()?
                .create_topic(text(request, "topic")?, partitions, 1, 10_000)
                .await?;
            Ok(json!({}))
        }
        "list" => {
            let topics = client.list_topics().await?;
            Ok(json!({ "topics": topics.iter().map(|topic| &topic.name).collect::<Vec<_>>() }))
        }
        "describe" => describe(client, request).await,
        "delete" => {
            client
                .controller_client()?
                .delete_topic(text(request, "topic")?, 10_000)
                .await?;
            Ok(json!({}))
        }
        "produce" => produce(client, open, request).await,
        "consume" => consume(client, open, request).await,
        other => Err(format!("unknown request {other}").into()),
    }
}

async fn describe(client: &Client, request: &Value) -> Answer {
    let name = text(request, "topic")?;
    let topics = client.list_topics().await?;
    let topic = topics
        .iter()
        .find(|topic| topic.name == name)
        .ok_or("no such topic")?;
    let partitions: Vec<_> = topic
        .partitions
        .iter()
        .map(|id| json!({ "partition": id, "leader": null }))
        .collect();
    Ok(json!({ "brokers": [], "partitions": partitions }))
}

async fn produce(client: &Client, open: &mut Partitions, request: &Value) -> Answer {
    let compression = match text(request, "codec")? {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::NoCompression,
    };
    let records = request["records"].as_array().ok_or("no records")?;
    let mut batches: BTreeMap<i64, Vec<(usize, Record)>> = BTreeMap::new();
    for (index, item) in records.iter().enumerate() {
        batches
            .entry(number(item, "partition")?)
            .or_default()
            .push((index, record(item)?));
    }
    let mut offsets = vec![0; records.len()];
    for (partition, batch) in batches {
        let (places, records): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let produced = partition_client(client, open, request, partition)
            .await?
            .produce(records, compression)
            .await?;
        for (place, offset) in places.into_iter().zip(produced) {
            offsets[place] = offset;
        }
    }
    Ok(json!({ "offsets": offsets }))
}

async fn consume(client: &Client, open: &mut Partitions, request: &Value) -> Answer {
    let partition = number(request, "partition")?;
    let partition_client = partition_client(client, open, request, partition).await?;
    let at = number(request, "at")?;
    let mut offset = match text(request, "from")? {
        "earliest" => partition_client.get_offset(OffsetAt::Earliest).await?,
        "latest" => partition_client.get_offset(OffsetAt::Latest).await?,
        "timestamp" => {
            let time = DateTime::from_timestamp_millis(at).ok_or("no such time")?;
            partition_client
                .get_offset(OffsetAt::Timestamp(time))
                .await?
        }
        _ => at,
    };
    let count = number(request, "count")?.try_into()?;
    let deadline = Instant::now() + PATIENCE;
    let mut records = Vec::new();
    while records.len() < count && Instant::now() < deadline {
        let (fetched, _high_watermark) = partition_client
            .fetch_records(offset, 1..4 << 20, 200)
            .await?;
        for one in fetched {
            offset = one.offset + 1;
            if records.len() < count {
                records.push(consumed(partition, one));
            }
        }
    }
    Ok(json!({ "records": records }))
}

fn consumed(partition: i64, RecordAndOffset { record, offset }: RecordAndOffset) -> Value {
    let headers = record.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| json!([name, STANDARD.encode(value)]))
        .collect();
    json!({
        "partition": partition,
        "offset": offset,
        "timestamp": record.timestamp.timestamp_millis(),
        "key": record.key.map(|key| STANDARD.encode(key)),
        "value": record.value.map(|value| STANDARD.encode(value)),
        "headers": headers,
    })
}

async fn partition_client<'a>(
    client: &Client,
    open: &'a mut Partitions,
    request: &Value,
    partition: i64,
) -> Result<&'a PartitionClient, Box<dyn Error>> {
    let key = (text(request, "topic")?.to_owned(), partition);
    if !open.contains_key(&key) {
        let handling = UnknownTopicHandling::Retry;
        let opened = client
            .partition_client(key.0.clone(), partition.try_into()?, handling)
            .await?;
        open.insert(key.clone(), opened);
    }
    Ok(&open[&key])
}

fn record(item: &Value) -> Result<Record, Box<dyn Error>> {
    let mut headers = BTreeMap::new();
    for header in item["headers"].as_array().ok_or("no headers")? {
        let name = header[0].as_str().ok_or("a header without a name")?;
        headers.insert(name.to_owned(), bytes(&header[1])?.ok_or("a null header")?);
    }
    Ok(Record {
        key: bytes(&item["key"])?,
        value: bytes(&item["value"])?,
        headers,
        timestamp: DateTime::from_timestamp_millis(number(item, "timestamp")?)
            .ok_or("no such time")?,
    })
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, Box<dyn Error>> {
    value[field]
        .as_str()
        .ok_or_else(|| format!("no {field}").into())
}

fn number(value: &Value, field: &str) -> Result<i64, Box<dyn Error>> {
    value[field]
        .as_i64()
        .ok_or_else(|| format!("no {field}").into())
}

fn bytes(value: &Value) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    value
        .as_str()
        .map(|text| STANDARD.decode(text))
        .transpose()
        .map_err(Into::into)
}

/// The version that is linked, from the lock file.
fn version() -> Result<&'static str, Box<dyn Error>> {
    let mut lines = include_str!("../Cargo.lock")
        .lines()
        .skip_while(|line| *line != "name = \"rskafka\"");
    let line = lines.nth(1).ok_or("rskafka is not locked")?;
    Ok(line
        .split('"')
        .nth(1)
        .ok_or("rskafka is locked without a version")?)
}
