import { resolve } from 'node:path'
import type { ApiClient } from '../base/api.ts'
import { sleep } from '../base/clock.ts'
import { isObject, type JsonObject } from '../base/json.ts'
import { formatBytes, formatCount, formatMs } from '../base/units.ts'
import type { Argument, ExitCode, Input, Run, SwitchFlag } from './command.ts'
import type { CliContext } from './context.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { Declined, printJson, report } from './declined.ts'
import { callApi, openApi } from './exchange.ts'
import type { IngestProgress } from './house.ts'
import { openProgress, type Progress } from './progress.ts'
import { widthFor } from './style.ts'
import { cut, oneLine } from './text.ts'

type IngestInput = Input<
  readonly [Argument & { name: 'collection' }, Argument & { name: 'path'; optional: true }],
  { readonly replay: SwitchFlag; readonly failures: SwitchFlag }
>

const POLL_FIRST_MS = 50
const POLL_MOST_MS = 400

export const run: Run<IngestInput> = async ({ words, flags, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const collection = `/api/collections/${encodeURIComponent(words.collection)}`
  if (flags.failures) return await showFailures(api, collection, context, json)
  const begun = flags.replay
    ? await callApi(api, 'POST', `${collection}/dead-letters/replay`, {})
    : await callApi(api, 'POST', `${collection}/ingest`, sourceOf(words.path, context.cwd))
  if (begun instanceof Declined) return report(context, begun, json)
  const runs = Array.isArray(begun['runs']) ? begun['runs'].map(textOf) : [textOf(begun['run'])]
  if (runs.length === 0 && json) printJson(context, begun)
  else if (runs.length === 0) context.stdout.write(`${words.collection}: nothing is left to be read again\n`)
  let worst: ExitCode = 0
  const ended: JsonObject[] = []
  for (const one of runs) worst = Math.max(worst, await watch(api, one, context, json ? ended : undefined)) as ExitCode
  const [only] = ended
  if (json && only !== undefined) printJson(context, ended.length === 1 ? only : { runs: ended })
  return worst
}

/** What `words` name, as the API takes it. */
export function sourceOf(word: string | undefined, cwd: string): JsonObject {
  if (word === undefined) return {}
  const bucket = /^s3:\/\/([^/]+)\/?(.*)$/.exec(word)
  if (bucket !== null) return { source: { kind: 's3', bucket: bucket[1] ?? '', prefix: bucket[2] ?? '' } }
  if (word.startsWith('git+')) return { source: { kind: 'git', repository: word.slice('git+'.length) } }
  if (/^https?:\/\/.*\.xml(?:\.gz)?$/.test(word)) return { source: { kind: 'sitemap', url: word } }
  // Named after its host, so that a page does not take the place of those read before it.
  if (/^https?:\/\//.test(word)) return { source: { kind: 'urls', name: nameOf(word), urls: [word] } }
  const path = resolve(cwd, word)
  return /[*?]/.test(word) ? { source: { kind: 'glob', pattern: path } } : { path }
}

const NAME_UNITS_MAX = 63

const nameOf = (url: string): string => {
  const name = url
    .replace(/^https?:\/\//, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
  return name.replace(/^[^a-z0-9]+/, '').slice(0, NAME_UNITS_MAX) || 'page'
}

/** @param ended Where the run goes in the end, instead of onto the terminal. */
async function watch(
  api: ApiClient,
  runId: string,
  context: CliContext,
  ended: JsonObject[] | undefined,
): Promise<ExitCode> {
  const beganMs = context.clock.monotonicMs()
  const last = await follow(api, runId, context)
  if (last instanceof Declined) return report(context, last, ended !== undefined)
  const progress = readProgress(last)
  if (ended !== undefined) ended.push(last)
  else context.stdout.write(ingestText(progress, widthFor(context.stdout), context.clock.monotonicMs() - beganMs))
  if (progress.endedAt == null) {
    return report(
      context,
      new Declined(
        'stopped',
        'Stopped watching before the end.\nWhat was read is kept; the same command goes on from there.',
        1,
      ),
      false,
    )
  }
  return progress.state === 'failed' ? 1 : 0
}

const FAILURES_SHOWN_MAX = 100

async function showFailures(api: ApiClient, collection: string, context: CliContext, json: boolean): Promise<ExitCode> {
  const answer = await callApi(api, 'GET', `${collection}/dead-letters?limit=${FAILURES_SHOWN_MAX}`)
  if (answer instanceof Declined) return report(context, answer, json)
  if (json) printJson(context, answer)
  else
    context.stdout.write(failuresText(listOf(answer['deadLetters']), answer['next'] != null, widthFor(context.stdout)))
  return 0
}

function failuresText(letters: readonly JsonObject[], isMore: boolean, width: number): string {
  if (letters.length === 0) return 'Everything could be read.\n'
  const lines = letters.map((one) => {
    const tries = numberOf(one['attempts'])
    const what = `${oneLine(textOf(one['uri']))}: ${oneLine(textOf(one['message']))}`
    return cut(`${what} (${tries === 1 ? 'once' : `${tries} times`}, last ${textOf(one['lastAt'])})`, width * 2)
  })
  if (isMore) lines.push('and more; `GET /api/collections/{collection}/dead-letters` lists them all')
  return `${lines.join('\n')}\n`
}

/** Polls until the run is over, or Ctrl-C. */
async function follow(api: ApiClient, runId: string, context: CliContext): Promise<JsonObject | Declined> {
  const bar = openProgress(context.stderr, context.clock, 'Reading')
  try {
    for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(POLL_MOST_MS, pauseMs * 1.5)) {
      const now = await callApi(api, 'GET', `/api/ingests/${encodeURIComponent(runId)}`)
      if (now instanceof Declined) return now
      const progress = readProgress(now)
      drawIngest(bar, progress)
      if (progress.endedAt != null || context.stopped.aborted) return now
      await sleep(context.clock, pauseMs, context.stopped)
    }
  } finally {
    bar.end()
  }
}

export function drawIngest(bar: Progress, progress: IngestProgress): void {
  const { found, read, unchanged, skipped } = progress.files
  const done = read + unchanged + skipped
  bar.update(
    done,
    found === 0 ? undefined : found,
    `${formatCount(done)} of ${formatCount(found)} files, ${formatBytes(progress.bytes)}`,
  )
}

export function readProgress(body: JsonObject): IngestProgress {
  const files = isObject(body['files']) ? body['files'] : {}
  const endedAt = body['endedAt']
  return {
    run: textOf(body['run']),
    state: textOf(body['state']),
    collection: textOf(body['collection']),
    path: textOf(body['path']),
    files: {
      found: numberOf(files['found']),
      read: numberOf(files['read']),
      unchanged: numberOf(files['unchanged']),
      removed: numberOf(files['removed']),
      skipped: numberOf(files['skipped']),
      ignored: numberOf(files['ignored']),
    },
    bytes: numberOf(body['bytes']),
    chunks: numberOf(body['chunks']),
    documents: numberOf(body['documents']),
    ...(isObject(body['problem'])
      ? { problem: { code: textOf(body['problem']['code']), message: textOf(body['problem']['message']) } }
      : {}),
    endedAt: endedAt === undefined ? null : textOf(endedAt) || (numberOf(endedAt) > 0 ? String(endedAt) : null),
    skipped: listOf(body['skipped']).map((one) => ({
      uri: textOf(one['uri']),
      code: textOf(one['code']),
      message: textOf(one['message']),
    })),
  }
}

const SKIPPED_SHOWN_MAX = 20

/** What an ingest did, and what it left out and why. */
export function ingestText(
  { collection, files, bytes, chunks, skipped, problem }: IngestProgress,
  width: number,
  tookMs: number,
): string {
  const counts = { read: files.read, unchanged: files.unchanged, removed: files.removed, skipped: files.skipped }
  const parts = Object.entries(counts).flatMap(([what, count]) =>
    count === 0 ? [] : [`${formatCount(count)} ${what}`],
  )
  const size = files.read > 0 ? ` (${formatBytes(bytes)}, ${formatCount(chunks)} passages)` : ''
  const lines = [
    `${collection}: ${formatCount(files.found)} ${files.found === 1 ? 'file' : 'files'}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}${size} in ${formatMs(tookMs)}`,
  ]
  if (files.ignored !== undefined && files.ignored > 0)
    lines.push(
      `  left out by name: ${formatCount(files.ignored)} of a type that holds no text, such as pictures and archives`,
    )
  if (problem !== undefined) lines.push(`  failed: ${oneLine(problem.message)} What was read until then is kept.`)
  for (const { uri, message } of skipped.slice(0, SKIPPED_SHOWN_MAX))
    lines.push(cut(`  skipped ${oneLine(uri)}: ${oneLine(message)}`, width * 2))
  if (skipped.length > SKIPPED_SHOWN_MAX)
    lines.push(`  and ${formatCount(skipped.length - SKIPPED_SHOWN_MAX)} more; --json lists them all`)
  return `${lines.join('\n')}\n`
}
