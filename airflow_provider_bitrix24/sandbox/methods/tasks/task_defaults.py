"""What answers say of fields of a task that the sandbox never changes. Source: ``tasks.task.add`` of v2 and v3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNSET: Mapping[str, Any] = {
    **dict.fromkeys(("parentId", "mark", "statusChangedBy", "closedBy", "closedDate", "dateStart")),
    **dict.fromkeys(("startDatePlan", "endDatePlan", "xmlId", "commentsCount")),
    **dict.fromkeys(("serviceCommentsCount", "forkedByTemplateId", "timeSpentInLogs")),
    **dict.fromkeys(("forumTopicId", "forumId", "exchangeModified", "exchangeId", "viewedDate")),
    **dict.fromkeys(("sorting", "durationFact", "flowId", "durationPlan")),
    **dict.fromkeys(("multitask", "notViewed", "replicate", "allowChangeDeadline"), "N"),
    **dict.fromkeys(("allowTimeTracking", "taskControl", "addInReport", "matchWorkTime", "isMuted"), "N"),
    **dict.fromkeys(("isPinned", "isPinnedInGroup", "favorite"), "N"),
    **{name: [] for name in ("auditors", "accomplices", "checklist", "accomplicesData", "auditorsData")},
    "stageId": "0",
    "timeEstimate": "0",
    "siteId": "s1",
    "subordinate": "Y",
    "outlookVersion": "1",
    "durationType": "days",
    "newCommentsCount": 0,
    "checkListCanAdd": True,
}

#: What the asking user may do with a task.
ACTIONS: Mapping[str, bool] = {
    **dict.fromkeys(("complete", "start", "delegate", "remove", "edit", "defer", "create"), True),
    **dict.fromkeys(("changeDeadline", "checklistAddItems", "addFavorite", "rate"), True),
    **dict.fromkeys(("checklist.reorder", "elapsedtime.add", "edit.plan", "checklist.add"), True),
    **dict.fromkeys(("favorite.add",), True),
    **dict.fromkeys(("accept", "decline", "approve", "disapprove", "pause", "renew"), False),
    **dict.fromkeys(("take", "deleteFavorite", "edit.originator", "dayplan.timer.toggle"), False),
    **dict.fromkeys(("favorite.delete",), False),
}

#: No check list at all, in the form of REST v2.
NO_CHECKLIST: Mapping[str, Any] = {
    "nodeId": 0,
    "fields": {
        **dict.fromkeys(("id", "nodeId", "copiedId", "entityId", "createdBy", "parentId", "sortIndex")),
        **dict.fromkeys(("isComplete", "isImportant"), False),
        **{name: [] for name in ("members", "attachments")},
        **dict.fromkeys(("title", "displaySortIndex"), ""),
        "userId": 1,
        "completedCount": 0,
    },
    "action": [],
    "descendants": [],
}

UNSET_V3: Mapping[str, Any] = {
    **dict.fromkeys(("startPlan", "endPlan", "fileIds", "epicId", "storyPoints", "statusChanged")),
    **dict.fromkeys(("parentId", "started", "closed", "xmlId", "exchangeId", "exchangeModified")),
    **dict.fromkeys(("addInReport", "deadlineCount", "declineReason", "forumTopicId")),
    **dict.fromkeys(("maxDeadlineChangeDate", "maxDeadlineChanges")),
    **dict.fromkeys(("needsControl", "containsChecklist", "containsSubTasks"), False),
    **dict.fromkeys(("containsRelatedTasks", "containsGanttLinks", "containsResults", "replicate"), False),
    **dict.fromkeys(("allowsChangeDeadline", "allowsTimeTracking", "matchesWorkTime"), False),
    **dict.fromkeys(("isMultitask", "requireResult", "matchesSubTasksTime", "autocompleteSubTasks"), False),
    **dict.fromkeys(("allowsChangeDatePlan", "requireDeadlineChangeReason"), False),
    **{name: [] for name in ("checklist", "inFavorite", "inPin", "inGroupPin", "inMute", "dependsOn")},
    "containsPlacements": True,
    "numberOfReminders": 0,
    "plannedDuration": 0,
    "actualDuration": 0,
    "durationType": "days",
    "estimatedTime": 0,
    "outlookVersion": 1,
    "mark": "none",
    "siteId": "s1",
    "scenarios": ["default"],
}

RIGHTS_V3: Mapping[str, bool] = {
    **dict.fromkeys(("read", "watch", "mute", "createResult", "edit", "remove", "complete"), True),
    **dict.fromkeys(("start", "delegate", "defer", "deadline", "datePlan", "changeResponsible"), True),
    **dict.fromkeys(("changeAccomplices", "mark", "changeStatus", "reminder", "addAuditors"), True),
    **dict.fromkeys(("elapsedTime", "favorite", "checklistAdd", "checklistEdit", "checklistSave"), True),
    **dict.fromkeys(("checklistToggle", "automate", "completeResult", "admin", "createSubtask"), True),
    **dict.fromkeys(("copy", "saveAsTemplate", "attachFile", "detachFile", "detachParent"), True),
    **dict.fromkeys(("createGanttDependence",), True),
    **dict.fromkeys(("approve", "disapprove", "take", "renew", "changeDirector", "pause"), False),
    **dict.fromkeys(("timeTracking", "resultEdit", "removeResult", "resultRead", "sort"), False),
}
