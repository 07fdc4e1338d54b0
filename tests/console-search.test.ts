import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { becomes, BROWSER, openHouseStage } from './console/browser.ts'
import { serveHandbook, serveLibrary, type LibraryHouse } from './console/library.ts'

/** Beside the handbook, the same with vectors. */
async function serveBoth(dist: string): Promise<LibraryHouse> {
  const house = await serveHandbook(dist)
  house.choose('e5')
  await house.read('embedded')
  return house
}

describe('the search playground in a browser', BROWSER, () => {
  const stage = openHouseStage(serveBoth)
  const passages = () => stage.page.getByRole('article')

  test('a search is asked by keyboard, shows each leg and each stage, and stands in the address', async () => {
    await stage.go('/search')
    const { page } = stage
    await page.getByRole('combobox', { name: 'Collection' }).selectOption('embedded')
    await page.getByRole('combobox', { name: 'Passages (k)' }).selectOption('3')
    await page.getByRole('searchbox', { name: 'Question' }).fill('how are keys rotated')
    await page.keyboard.press('Enter')
    await becomes(() => page.url(), /\/search\?collection=embedded&q=how\+are\+keys\+rotated&k=3$/)
    await becomes(() => passages().count(), 3)
    await becomes(
      () => page.locator('.searched-head').textContent(),
      /^3 passages in .*, words and vectors put together/,
    )
    const first = passages().first()
    await becomes(() => first.textContent(), /^1Keys.*Words\s*rank 1.*Vector\s*rank \d/)
    assert.deepEqual([...new Set(await first.locator('mark').allTextContents())].slice(0, 2), ['Keys', 'key'])
    await page
      .getByRole('region', { name: 'What it took' })
      .getByRole('button', { name: /^nearest: / })
      .waitFor()
    await page.getByRole('button', { name: 'Keys' }).first().click()
    await page.getByRole('dialog', { name: 'Keys' }).getByText('With a grace period').first().waitFor()
  })

  test('the address alone is the whole search, its filter too, and going back is the search before', async () => {
    const filter = encodeURIComponent('["trust","eq","untrusted"]')
    await stage.go(`/search?collection=handbook&q=budget&mode=words&k=5&diversity=0.3&expand=512&filter=${filter}`)
    const { page } = stage
    await page.getByText('Nothing was found. The filter may let nothing through.').waitFor()
    assert.equal(await page.getByRole('radio', { name: 'Words' }).isChecked(), true)
    assert.equal(await page.getByLabel('Relevance λ = 0.70').inputValue(), '0.7')
    assert.equal(await page.getByRole('combobox', { name: 'Expansion' }).inputValue(), '512')
    await page.getByRole('combobox', { name: 'Operator of condition 1' }).selectOption('ne')
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await becomes(() => passages().count(), 1)
    await becomes(() => page.locator('.searched-head').textContent(), /^1 passage in .*, by words alone$/)
    await page.goBack()
    await page.getByText('Nothing was found.').waitFor()
    assert.equal(await page.getByRole('combobox', { name: 'Operator of condition 1' }).inputValue(), 'eq')
    await page.getByRole('button', { name: 'Remove condition 1' }).click()
    await page.getByRole('searchbox', { name: 'Question' }).press('Enter')
    await becomes(() => page.url(), /expand=512$/)
    await becomes(() => passages().count(), 1)
  })

  test('what is refused is told with its remedy', async () => {
    await stage.go('/search?collection=handbook&q=keys&mode=vector')
    await becomes(() => stage.page.getByRole('alert').textContent(), /asks for vectors.*Search by words.*field_invalid/)
    await stage.page.getByRole('radio', { name: 'Hybrid' }).check({ force: true })
    await stage.page.getByRole('button', { name: 'Search', exact: true }).click()
    await passages().first().waitFor()
  })

  test('nothing runs off the side, and an empty house says how to fill it', async () => {
    await stage.page.setViewportSize({ width: 360, height: 700 })
    await stage.go(
      '/search?collection=embedded&q=keys&filter=%5B%22trust%22%2C%22in%22%2C%22internal%2C%20trusted%22%5D',
    )
    await passages().first().waitFor()
    assert.equal(await stage.scrollsSideways(), false)
    await stage.visit(serveLibrary)
    await stage.go('/search')
    await stage.page.getByText('npx headworks ingest handbook ./docs').waitFor()
  })
})
