import { resolve } from 'node:path'
import type { ApiClient } from '../base/api.ts'
import { sleep } from '../base/clock.ts'
import { isObject, type JsonObject } from '../base/json.ts'
import { formatBytes, formatCount, formatMs } from '../base/units.ts'
import type { Argument, Input, Run } from './command.ts'
import type { CliContext } from './context.ts'
import { listOf, numberOf, textOf } from './fields.ts'
import { Declined, printJson, report } from './declined.ts'
import { callApi, openApi } from './exchange.ts'
import type { IngestProgress } from './house.ts'
import { openProgress, type Progress } from './progress.ts'
import { widthFor } from './style.ts'
import { cut, oneLine } from './text.ts'

type IngestInput = Input<
  readonly [Argument & { name: 'collection' }, Argument & { name: 'path' }],
  Record<never, never>
>

const POLL_FIRST_MS = 50
const POLL_MOST_MS = 400

export const run: Run<IngestInput> = async ({ words, json }, context) => {
  const api = await openApi(context)
  if (api instanceof Declined) return report(context, api, json)
  const beganMs = context.clock.monotonicMs()
  const begun = await callApi(api, 'POST', `/api/collections/${encodeURIComponent(words.collection)}/ingest`, {
    path: resolve(context.cwd, words.path),
  })
  if (begun instanceof Declined) return report(context, begun, json)
  const last = await follow(api, textOf(begun['run']), context)
  if (last instanceof Declined) return report(context, last, json)
  const progress = readProgress(last)
  if (json) printJson(context, last)
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
