import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import { App } from './app.tsx';
import { loadFonts } from './fonts.ts';
import { followLinks } from './state/router.ts';
import { startShortcuts } from './state/shortcuts.ts';
import { startTheme } from './state/theme.ts';

startTheme();
loadFonts();
followLinks();
startShortcuts();
render(<App />, document.getElementById('app')!);
