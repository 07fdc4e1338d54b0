/** What a list of traces may be narrowed to, as flags of the commands that list them. */
export const TRACE_FILTERS = {
  user: { type: 'text', value: 'NAME', summary: 'Of this user.' },
  model: { type: 'text', value: 'NAME', summary: 'Of this model.' },
  service: { type: 'text', value: 'NAME', summary: 'Of this program; our own requests are "headworks".' },
  session: { type: 'text', value: 'ID', summary: 'Of this session.' },
  tenant: { type: 'text', value: 'NAME', summary: 'Of this tenant.' },
  workflow: { type: 'text', value: 'NAME', summary: 'Of this workflow.' },
  status: { type: 'text', value: 'STATUS', summary: 'How it ended.', choices: ['ok', 'error'] },
  'min-ms': { type: 'text', value: 'MS', summary: 'That took as long at least, in milliseconds.' },
  'min-usd': { type: 'text', value: 'USD', summary: 'That cost as much at least.' },
  text: { type: 'text', value: 'WORDS', summary: 'With all of these words in names, errors and attributes.' },
  from: { type: 'text', value: 'TIME', summary: 'That began then or later: 2026-11-22T08:00:00Z.' },
  to: { type: 'text', value: 'TIME', summary: 'That began before.' },
} as const
