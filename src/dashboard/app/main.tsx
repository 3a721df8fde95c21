import { render } from 'preact';
import { loadFonts } from './fonts.ts';

loadFonts();
render(<main>BVE Gateway</main>, document.getElementById('app')!);
