import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openCollection, type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Sources } from '../../retrieval/sources.ts'
import { GuardedFetcher } from '../undici/fetcher.ts'
import { openSitemap, openUrls } from './sources.ts'

type Page = (request: IncomingMessage, response: ServerResponse) => void

/** A site whose pages a test decides. */
async function site() {
  const pages = new Map<string, Page>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const page = pages.get(request.url ?? '')
    if (page !== undefined) return page(request, response)
    response.writeHead(404)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const fetcher = new GuardedFetcher({ clock, privateHosts: new Set(['127.0.0.1']) })
  const options = { fetcher, clock, bytesMax: 10_000 }
  const sources: Sources = {
    open: async (spec, signal) => {
      if (spec.kind === 'urls') return openUrls(spec, options)
      return openSitemap(spec as Extract<SourceConfig, { kind: 'sitemap' }>, options, signal)
    },
  }
  return {
    url,
    asked,
    sources,
    text: (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) =>
      pages.set(path, (request, response) => {
        if (headers['etag'] !== undefined && request.headers['if-none-match'] === headers['etag']) {
          response.writeHead(304)
          return void response.end()
        }
        response.writeHead(200, headers)
        response.end(body)
      }),
    page: (path: string, page: Page) => pages.set(path, page),
    drop: (path: string) => pages.delete(path),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await fetcher.close()
    },
  }
}

async function stock(kind: 'urls' | 'sitemap'): Promise<Stock> {
  const from = await site()
  const names = new Set<string>()
  const listed = (): string =>
    `<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${[...names].map((name) => `<url><loc>${from.url}/${encodeURIComponent(name)}</loc></url>`).join('')}</urlset>`
  from.page('/sitemap.xml', (_, response) => response.end(listed()))
  let version = 0
  return {
    get spec(): SourceConfig {
      if (kind === 'sitemap') return { kind, url: `${from.url}/sitemap.xml`, pagesMax: 1_000 }
      return { kind, name: 'urls', urls: [...names].map((name) => `${from.url}/${encodeURIComponent(name)}`) }
    },
    sources: from.sources,
    put: async (name, content) => {
      names.add(name)
      from.text(`/${encodeURIComponent(name)}`, content, { etag: `"${++version}"` })
    },
    remove: async (name) => {
      // From the list it stays; the page is gone.
      if (kind === 'sitemap') names.delete(name)
      from.drop(`/${encodeURIComponent(name)}`)
    },
    vanish: () => from.close(),
    close: () => from.close(),
  }
}

sourceContract('urls', () => stock('urls'))
sourceContract('sitemap', () => stock('sitemap'))

test('an index leads to sitemaps, on its own host and no other, compressed or not', async () => {
  const from = await site()
  from.text(
    '/index.xml',
    `<sitemapindex><sitemap><loc>${from.url}/a.xml.gz</loc></sitemap><sitemap><loc>${from.url}/index.xml</loc></sitemap><sitemap><loc>/list.txt</loc></sitemap><sitemap><loc>http://10.0.0.1/b.xml</loc></sitemap></sitemapindex>`,
  )
  from.text(
    '/a.xml.gz',
    gzipSync(
      `<urlset><url><loc>${from.url}/one?a=1&amp;b=2#part</loc></url><url><loc>https://elsewhere.example/two</loc></url></urlset>`,
    ),
    { 'content-encoding': 'gzip' },
  )
  from.text('/list.txt', `${from.url}/three\n`)
  from.text('/one?a=1&b=2', '<html><title>One</title><p>A red apple.</p></html>', { 'content-type': 'text/html' })
  from.text('/three', 'A yellow banana.', { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' })
  const house = openCollection(from.sources)
  await house.run({ kind: 'sitemap', url: `${from.url}/index.xml`, pagesMax: 10 })
  assert.deepEqual(
    house
      .documents()
      .map(({ uri, title, trust }) => [uri, title, trust])
      .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    [
      [`${from.url}/one?a=1&b=2`, 'One', 'untrusted'],
      [`${from.url}/three`, 'three', 'untrusted'],
    ],
  )
  assert.equal(
    house.documents().find(({ title }) => title === 'three')?.provenance?.revision,
    'modified Mon, 01 Jan 2024 00:00:00 GMT',
  )
  await house.ingest.stop()
  await from.close()
})

test('robots.txt is respected, also where a page leads', async () => {
  const from = await site()
  from.text(
    '/robots.txt',
    'User-agent: *\nDisallow: /private\n\nUser-agent: Headworks\nDisallow: /private\nDisallow: /secret',
  )
  from.text(
    '/sitemap.xml',
    `<urlset>${['open', 'private/a', 'secret', 'leads'].map((path) => `<url><loc>${from.url}/${path}</loc></url>`).join('')}</urlset>`,
  )
  from.text('/open', 'A red apple.')
  from.page('/leads', (_, response) => {
    response.writeHead(302, { location: '/private/b' })
    response.end()
  })
  const house = openCollection(from.sources)
  await house.run({ kind: 'sitemap', url: `${from.url}/sitemap.xml`, pagesMax: 10 })
  assert.deepEqual(
    house.documents().map(({ uri }) => uri),
    [`${from.url}/open`],
  )
  assert.ok(!from.asked.some((path) => path.startsWith('/private') || path === '/secret'), from.asked.join())
  from.page('/robots.txt', (_, response) => {
    response.writeHead(503)
    response.end()
  })
  await house.run({ kind: 'sitemap', url: `${from.url}/sitemap.xml`, pagesMax: 10 })
  assert.equal(from.asked.filter((path) => path === '/open').length, 1, 'nothing is read while the rules are unknown')
  await house.ingest.stop()
  await from.close()
})

test('what is no sitemap is refused, and so are pages that are bombs, too large, or lead in circles', async () => {
  const from = await site()
  from.text('/page', '<html><p>no map</p></html>')
  for (const path of ['/page', '/none']) {
    const opened = await from.sources.open(
      { kind: 'sitemap', url: `${from.url}${path}`, pagesMax: 10 },
      new AbortController().signal,
    )
    assert.ok(opened instanceof Refusal && opened.code === 'source_unreadable', path)
  }
  from.text('/large', 'x'.repeat(10_001))
  from.text('/bomb', gzipSync(Buffer.alloc(20_000_000)), { 'content-encoding': 'gzip' })
  from.text('/broken', 'no gzip', { 'content-encoding': 'gzip' })
  from.text('/odd', 'x', { 'content-encoding': 'zstd' })
  from.page('/circle', (_, response) => {
    response.writeHead(301, { location: '/circle' })
    response.end()
  })
  from.page('/file', (_, response) => {
    response.writeHead(302, { location: 'file:///etc/passwd' })
    response.end()
  })
  from.page('/inside', (_, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' })
    response.end()
  })
  from.page('/cut', (_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half')
    setImmediate(() => response.destroy())
  })
  const house = openCollection(from.sources)
  const paths = ['large', 'bomb', 'broken', 'odd', 'circle', 'file', 'inside', 'cut', 'absent']
  const shown = await house.run({ kind: 'urls', name: 'urls', urls: paths.map((path) => `${from.url}/${path}`) })
  assert.deepEqual([shown.files['skipped'], shown.files['read']], [paths.length, 0])
  const codes = Object.fromEntries(
    (shown['skipped'] as { uri: string; code: string }[]).map(({ uri, code }) => [uri.split('/').at(-1), code]),
  )
  assert.deepEqual(codes, {
    large: 'document_too_large',
    bomb: 'document_too_large',
    broken: 'source_unreadable',
    odd: 'source_unreadable',
    circle: 'source_unreadable',
    file: 'source_unreadable',
    inside: 'source_unreadable',
    cut: 'source_unavailable',
    absent: 'document_absent',
  })
  await house.ingest.stop()
  await from.close()
})
