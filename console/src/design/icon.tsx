/** Line icons on a grid of 16, drawn with the pen of the text beside them. */
const PATHS = {
  ask: 'M2.5 3.5h11v7.5h-6l-3 2.5v-2.5h-2zM5 6.2h6M5 8.4h4',
  arrow: 'M3 8h9.5M8.8 4.2 12.6 8l-3.8 3.8',
  stop: 'M4.5 4.5h7v7h-7z',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  done: 'M3 8.5l3.2 3.2L13 4.8',
  open: 'M6.5 3h-4v10.5H13v-4M9 2.5h4.5V7M13.2 2.8 7.5 8.5',
  page: 'M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3M5.5 7.5h5M5.5 10h5M5.5 12.3h3',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  light:
    'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1',
  dark: 'M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z',
  system: 'M1.5 2.5h13v8.5h-13zM5.5 13.8h5M8 11v2.8',
  keys: 'M1.5 4h13v8.5h-13zM4 6.6h.6M6.7 6.6h.6M9.4 6.6h.6M12 6.6h.4M5 9.8h6',
  leave: 'M9.5 2.5h-7v11h7M6.5 8h8M11.6 5l3 3-3 3',
  retry: 'M13 8a5 5 0 1 1-1.6-3.7M13.2 2v3h-3',
  chart: 'M2 3.5h6M4.5 8h6M8 12.5h6',
  table: 'M2 3h12v10H2zM2 6.4h12M2 9.7h12M6.5 3v10',
  collection: 'M2.5 2.5h3v11h-3zM5.5 2.5h3v11h-3zM9 3.3l2.9-.8 2.8 10.2-2.9.8z',
  ingest: 'M8 1.5v6.8M5.2 5.6 8 8.4l2.8-2.8M2 8.5v5h12v-5M2 10.8h3.5l1 1.2h3l1-1.2H14',
  budget: 'M2 9.5a6 6 0 0 1 12 0v3H2zM8 9.5l3-3.4M4.4 9.5h.1M11.6 9.5h.1M8 5.9v-.1',
  usage: 'M2 2.5h4v11H2zM6 2.5h4v6H6zM6 8.5h4v5H6zM10 2.5h4v3.5h-4zM10 6h4v2.5h-4z',
  home: 'M2 7.5 8 2.5l6 5v6.5h-4.2v-4H6.2v4H2z',
  key: 'M10 2.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM7.4 8.4 2 13.8h3v-2h2M10.8 5.2h.1',
  trace: 'M2 3h12M2 3v10M4 6h5M6.5 9h5M9.5 12h4.5',
  prompt: 'M2 2.5h12v9H7l-3 2.5v-2.5H2zM5 5.5l2 1.5-2 1.5M8.5 8.8h2.5',
  record: 'M3.5 1.5h9v13h-9zM5.8 5h4.4M5.8 8h4.4M5.8 11h2.4',
  bell: 'M8 2a4 4 0 0 0-4 4v3l-1.5 2.5h11L12 9V6a4 4 0 0 0-4-4zM6.5 13.5h3',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3l3.2 3.2',
  save: 'M8 2.5v8M4.8 7.4 8 10.6l3.2-3.2M2.5 13.5h11',
  plus: 'M8 3v10M3 8h10',
  warn: 'M8 2 14.5 13.5h-13zM8 6.5v3.4M8 11.4v.6',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      className="icon"
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinejoin="round"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}
