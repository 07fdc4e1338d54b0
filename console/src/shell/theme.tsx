import { useState } from 'react'
import { Segments } from '../design/segments.tsx'

type Theme = 'system' | 'light' | 'dark'

/** Read before the first paint by public/theme.js. */
const SLOT = 'headworks.theme'

export function ThemeChoice() {
  const [theme, setTheme] = useState<Theme>(() => {
    const chosen = document.documentElement.dataset['theme']
    return chosen === 'light' || chosen === 'dark' ? chosen : 'system'
  })
  const choose = (chosen: Theme) => {
    setTheme(chosen)
    if (chosen === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = chosen
    try {
      localStorage.setItem(SLOT, chosen)
    } catch {
      // Storage is switched off: the choice lives as long as the page.
    }
  }
  return (
    <Segments
      label="Theme"
      value={theme}
      onChange={choose}
      options={[
        { value: 'system', name: 'As the system', icon: 'system' },
        { value: 'light', name: 'Light', icon: 'light' },
        { value: 'dark', name: 'Dark', icon: 'dark' },
      ]}
    />
  )
}
