/** Inter, of which every number has the same width. A stylesheet would have it inlined, and the first paint wait for it. */
import inter from '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2';

export function loadFonts(): void {
  const face = new FontFace('Inter', `url(${inter})`, { weight: '100 900', display: 'swap' });
  document.fonts.add(face);
  void face.load().catch(() => {
    // The system's font is there until then, and stays.
  });
}
