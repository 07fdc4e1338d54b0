/** Prometheus' text format (exposition format 0.0.4, and OpenMetrics as far as they agree), as engines tell
 *  their metrics. What is no sample is passed over: a server that writes one bad line still says the rest. */

export interface Sample {
  readonly name: string
  readonly labels: { readonly [name: string]: string }
  readonly value: number
}

/** Labels of one sample that are read; more make it no sample. */
const LABELS_MAX = 64
/** A metric of so many series is none of ours. */
const SAMPLES_MAX = 4_096

/** The samples of the metrics named, in order, each with a value that is a number: `NaN` and infinities are
 *  left out, which clients write where they know nothing. */
export function samplesOf(text: string, names: ReadonlySet<string>): Sample[] {
  const samples: Sample[] = []
  for (let from = 0; from < text.length && samples.length < SAMPLES_MAX;) {
    const end = text.indexOf('\n', from)
    const to = end < 0 ? text.length : end
    const sample = sampleIn(text, from, to, names)
    if (sample !== undefined) samples.push(sample)
    from = to + 1
  }
  return samples
}

function sampleIn(text: string, from: number, to: number, names: ReadonlySet<string>): Sample | undefined {
  let at = from
  while (at < to && isNamed(text.charCodeAt(at))) at++
  const name = text.slice(from, at)
  // Before anything else is looked at: most lines are of other metrics.
  if (!names.has(name)) return undefined
  const line = text.slice(at, to)
  const labelled = line.startsWith('{') ? labelsIn(line) : { labels: {}, length: 0 }
  if (labelled === undefined) return undefined
  const [written, ...more] = line
    .slice(labelled.length)
    .trim()
    .split(/[ \t]+/, 3)
  // After the value there may be a time, and in OpenMetrics an exemplar.
  if (written === undefined || !VALUE.test(written) || (more[0] !== undefined && !TIME.test(more[0]))) return undefined
  return { name, labels: labelled.labels, value: Number(written) }
}

/** `[A-Za-z0-9_:]`; that a name begins with no digit makes no difference here. */
const isNamed = (unit: number): boolean =>
  (unit >= 97 && unit <= 122) || (unit >= 65 && unit <= 90) || (unit >= 48 && unit <= 58) || unit === 95

/** A float of Go's that JavaScript reads the same. */
const VALUE = /^[+-]?(?:\d{1,32}(?:\.\d{0,32})?|\.\d{1,32})(?:[eE][+-]?\d{1,3})?$/

/** Milliseconds, in OpenMetrics seconds; or the beginning of an exemplar. */
const TIME = /^(?:-?\d{1,20}(?:\.\d{1,20})?|#)$/

/** One label and what ends it: the value's escapes are `\\`, `\"` and `\n`. */
const LABEL = /\s*([A-Za-z_][A-Za-z0-9_]{0,127})\s*=\s*"((?:[^"\\]|\\.){0,1024})"\s*(,|\})/y

function labelsIn(line: string): { labels: Sample['labels']; length: number } | undefined {
  const labels = Object.create(null) as Record<string, string>
  if (/^\{\s*\}/.test(line)) return { labels, length: line.indexOf('}') + 1 }
  LABEL.lastIndex = 1
  for (let count = 0; count < LABELS_MAX; count++) {
    const at = LABEL.lastIndex
    const found = LABEL.exec(line)
    // A comma may stand after the last.
    if (found === null) return count > 0 && line[at] === '}' ? { labels, length: at + 1 } : undefined
    const [, name = '', value = '', ending] = found
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    if (ending === '}') return { labels, length: LABEL.lastIndex }
  }
  return undefined
}
