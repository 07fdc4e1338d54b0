import type { Run } from './command.ts'
import { printJson } from './declined.ts'

/** A dashboard for Grafana over what `/metrics` says: asked by name of a data source when it is
 *  imported. */

interface Query {
  readonly expr: string
  readonly legend: string
}

interface Chart {
  readonly title: string
  /** As Grafana calls it: `s`, `reqps`, `currencyUSD`. */
  readonly unit: string
  readonly queries: readonly Query[]
}

const PANEL_HEIGHT = 8
/** Of the 24 columns of Grafana's grid. */
const PANEL_WIDTH = 12
const SCHEMA_VERSION = 39
const SOURCE = { type: 'prometheus', uid: '${source}' }

const RATE = '$__rate_interval'
const REQUESTS = 'kind="request",tenant=~"$tenant"'
const ENGINES = 'kind=~"generation|embedding|rerank",tenant=~"$tenant"'

const percentile = (share: number, metric: string, filter: string, by: string): Query => ({
  expr: `histogram_quantile(${share}, sum by (le${by === '' ? '' : `, ${by}`}) (rate(${metric}_bucket{${filter}}[${RATE}])))`,
  legend: `p${share * 100}${by === '' ? '' : ` {{${by}}}`}`,
})
const rate = (metric: string, filter: string, by: string, legend: string): Query => ({
  expr: `sum by (${by}) (rate(${metric}_total{${filter}}[${RATE}]))`,
  legend,
})

const CHARTS: readonly Chart[] = [
  {
    title: 'Requests by model',
    unit: 'reqps',
    queries: [rate('headworks_spans', REQUESTS, 'model', '{{model}}')],
  },
  {
    title: 'Share of requests that failed',
    unit: 'percentunit',
    queries: [
      {
        expr: `sum by (model) (rate(headworks_span_errors_total{${REQUESTS}}[${RATE}])) / sum by (model) (rate(headworks_spans_total{${REQUESTS}}[${RATE}]))`,
        legend: '{{model}}',
      },
    ],
  },
  {
    title: 'How long requests take',
    unit: 's',
    queries: [0.5, 0.95, 0.99].map((share) => percentile(share, 'headworks_span_duration_seconds', REQUESTS, '')),
  },
  {
    title: 'Time to the first token, p95',
    unit: 's',
    queries: [percentile(0.95, 'headworks_first_token_seconds', 'tenant=~"$tenant"', 'model')],
  },
  {
    title: 'How long stages take, p95',
    unit: 's',
    queries: [percentile(0.95, 'headworks_span_duration_seconds', 'tenant=~"$tenant"', 'kind')],
  },
  {
    title: 'Tokens',
    unit: 'short',
    queries: [
      rate('headworks_input_tokens', ENGINES, 'model', 'read, {{model}}'),
      rate('headworks_output_tokens', ENGINES, 'model', 'written, {{model}}'),
    ],
  },
  {
    title: 'Cost per hour',
    unit: 'currencyUSD',
    queries: [
      { expr: `3600 * sum by (model) (rate(headworks_cost_usd_total{${ENGINES}}[${RATE}]))`, legend: '{{model}}' },
    ],
  },
  {
    title: 'Telemetry that waits, and what is kept',
    unit: 'bytes',
    queries: [
      { expr: 'headworks_telemetry_waiting_bytes', legend: 'waiting' },
      { expr: 'headworks_telemetry_file_bytes', legend: 'files' },
    ],
  },
]

export const dashboard = () => ({
  uid: 'headworks',
  title: 'Headworks',
  tags: ['headworks'],
  schemaVersion: SCHEMA_VERSION,
  time: { from: 'now-6h', to: 'now' },
  refresh: '30s',
  editable: true,
  templating: {
    list: [
      { name: 'source', label: 'Data source', type: 'datasource' as const, query: 'prometheus' },
      {
        name: 'tenant',
        label: 'Tenant',
        type: 'query' as const,
        datasource: SOURCE,
        query: 'label_values(headworks_spans_total, tenant)',
        includeAll: true,
        multi: true,
        allValue: '.*',
        current: { text: 'All', value: '$__all' },
      },
    ],
  },
  panels: CHARTS.map(({ title, unit, queries }, at) => ({
    id: at + 1,
    type: 'timeseries',
    title,
    datasource: SOURCE,
    gridPos: {
      x: (at % 2) * PANEL_WIDTH,
      y: Math.floor(at / 2) * PANEL_HEIGHT,
      w: PANEL_WIDTH,
      h: PANEL_HEIGHT,
    },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: {},
    targets: queries.map(({ expr, legend }, number) => ({
      refId: String.fromCodePoint(0x41 + number),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      exemplar: true,
    })),
  })),
})

/** The same with `--json`: it is JSON. */
export const run: Run<{ readonly json: boolean }> = async (_, context) => {
  printJson(context, dashboard())
  return 0
}
