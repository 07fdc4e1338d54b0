import { ERRORS, type ErrorKind } from '../../src/base/errors.ts'

/** docs/errors.md, from the catalogue. */
export function errorsPage(): string {
  const sections = (Object.keys(KINDS) as ErrorKind[]).flatMap((kind) => {
    const rows = Object.entries(ERRORS).filter(([, entry]) => entry.kind === kind)
    return rows.length === 0 ? [] : [sectionText(kind, rows)]
  })
  return `${HEAD}\n${sections.join('\n')}`
}

interface Kind {
  readonly title: string
  readonly means: string
  readonly retry: string
}

const KINDS: Record<ErrorKind, Kind> = {
  caller: { title: 'The request is wrong', means: 'Sending the same again changes nothing.', retry: 'no' },
  auth: { title: 'Who is asking', means: 'The caller is not known, or not allowed.', retry: 'no' },
  absent: {
    title: 'What was named does not exist',
    means: 'The name is wrong, or the thing was removed.',
    retry: 'no',
  },
  quota: {
    title: 'A limit of the caller is spent',
    means: 'It resets at its time; trying again before that does not help.',
    retry: 'after the reset',
  },
  busy: { title: 'A limit of the server is reached', means: 'A pause helps.', retry: 'yes, after a pause' },
  engine: {
    title: 'A model server failed',
    means: 'Headworks has tried the other deployments and fallbacks already.',
    retry: 'yes, after a pause',
  },
  fault: {
    title: 'Headworks itself failed',
    means: 'The request id finds the trace and the lines of the log.',
    retry: 'yes; report it if it lasts',
  },
}

const HEAD = `# Errors

Every error has a code, one sentence that says what happened, and a remedy. Over HTTP it has OpenAI's
shape, and \`message\` is the sentence followed by the remedy:

\`\`\`json
{"error": {"message": "No model is called \\"caht\\". GET /v1/models lists ...", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}
\`\`\`

Where OpenAI has a code of its own, clients see that one: \`model_not_found\` for \`model_unknown\`,
\`invalid_api_key\` for \`key_unknown\`, \`context_length_exceeded\` for \`context_too_long\`. Every response
carries \`x-request-id\`; \`npx headworks traces show <id>\` tells everything known about that request.

Under \`/v1/messages\` errors have Anthropic's shape, with its types, the same message and the code of
this page.

On the command line the exit code is 3 for what is refused or does not exist, 1 for what failed, 2 for
wrong use.
`

function sectionText(
  kind: ErrorKind,
  rows: readonly (readonly [string, { readonly status: number; readonly sentence: string; readonly remedy: string }])[],
): string {
  const { title, means, retry } = KINDS[kind]
  const lines = rows.map(
    ([code, { status, sentence, remedy }]) => `| \`${code}\` | ${status} | ${cell(sentence)} | ${cell(remedy)} |`,
  )
  return `## ${title}\n\n${means} Retry: ${retry}. Kind: \`${kind}\`.\n\n| code | status | what happened | what to do |\n|---|---|---|---|\n${lines.join('\n')}\n`
}

/** Holes such as \`{model}\` are shown as *model*. */
const cell = (text: string): string =>
  text
    .replace(/`?\{(\w+)\}`?/g, (_, name: string) => `*${name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()}*`)
    .replace(/\n/g, ' ')
    .replace(/\|/g, '\\|')
