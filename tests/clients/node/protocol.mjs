// The line protocol of the client matrix for clients written in JavaScript: see
// tests/clients/README.md.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

// Milliseconds that a consumer waits for the records that it was asked for.
export const PATIENCE = 25_000

export const encode = (data) => (data ? Buffer.from(data).toString('base64') : null)
export const decode = (text) => (text === null ? null : Buffer.from(text, 'base64'))

// Which produce requests may use the same producer.
export const producerKey = ({ acks, idempotent, codec }) => `${acks} ${idempotent} ${codec}`

// The offsets of a request's records, from the base offset that each partition was given.
export function offsets(records, bases) {
  const next = new Map(bases)
  return records.map(({ partition }) => {
    if (!next.has(partition)) return null
    next.set(partition, next.get(partition) + 1n)
    return Number(next.get(partition) - 1n)
  })
}

export function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file)).version
}

// Answers requests with handlers[op](request) until the input ends.
export async function serve(handlers) {
  const write = process.stdout.write.bind(process.stdout)
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    let answer
    try {
      answer = (await handlers[request.op](request)) ?? {}
    } catch (error) {
      console.error(error)
      answer = { error: explain(error) }
    }
    write(`${JSON.stringify(answer)}\n`)
  }
  process.exit(0)
}

// An error with its type and the errors below it, where the broker's own usually is.
function explain(error) {
  const below = [error.cause, ...(error.errors ?? [])].filter(Boolean).map(explain)
  const kind = error.type ?? error.apiId ?? ''
  return [`${error.name} ${kind}: ${error.message}`, ...below].join(' < ')
}
