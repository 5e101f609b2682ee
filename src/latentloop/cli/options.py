"""Options that several commands share."""

from latentloop.common import Common as Common
